"""A minute with the real thing: 1,300 real calls, a home of its own, and every figure computed then and there."""
