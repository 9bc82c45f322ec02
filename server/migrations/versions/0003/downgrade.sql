DROP FUNCTION aichat.end_turn, aichat.renew_leases, aichat.begin_turn, aichat.message_path, aichat.find_turn,
    aichat.earlier_turn, aichat.known_turn, aichat.answer;
