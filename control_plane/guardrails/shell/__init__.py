"""What a shell command would write, read off its text: words, wrappers, scripts and the programs that write."""
