"""One model writing one answer: begun, leased, streamed through a journal, resumed, cancelled, ended and booked."""
