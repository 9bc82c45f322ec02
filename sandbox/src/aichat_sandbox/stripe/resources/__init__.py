"""What can be asked for, one kind of object a file."""
