package clerk

// An Operation is the name of an operation in Clerk's OpenAPI document.
type Operation string

// The operations of [InvitationsService].
const (
	OperationCreate     Operation = "CreateInvitation"
	OperationList       Operation = "ListInvitations"
	OperationBulkCreate Operation = "CreateBulkInvitations"
	OperationRevoke     Operation = "RevokeInvitation"
	// OperationDelete is not in Clerk's OpenAPI document; the name follows its pattern.
	OperationDelete Operation = "DeleteInvitation"
)

// isDocumented reports whether a status is an error of the operation in Clerk's OpenAPI
// document or, for Delete, its reference.
func isDocumented(operation string, status int) bool {
	switch Operation(operation) {
	case OperationCreate, OperationBulkCreate:
		return status == 400 || status == 422
	case OperationRevoke, OperationDelete:
		return status == 400 || status == 404
	}
	return false
}
