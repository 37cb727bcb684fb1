"""The agent bridge: threads in which agents write to each other, and wakes for those who sleep."""
