// Package contract has no code. Its tests prove that package clerk and its fake conform to
// Clerk's OpenAPI document, and that Clerk's own clients understand the fake. The command in
// live asks Clerk's live API the questions that the document leaves open.
package contract
