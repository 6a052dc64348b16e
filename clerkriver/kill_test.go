package clerkriver

func runTestProcess() error { return nil }
