package clerkriver

// NewTestDatabase returns the URL of a database without tables.
var NewTestDatabase = shared.empty
