// Package contract holds no code: its tests prove that package clerk and its fake keep
// to Clerk's OpenAPI document, and that Clerk's own clients understand the fake. The
// command in live asks Clerk's live API what the document leaves open.
package contract
