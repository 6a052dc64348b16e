package clerk

// ClassOf returns the class of an error in words, for tests of package clerk_test.
func ClassOf(err error) string {
	return map[class]string{
		classNone: "none", classSucceeded: "succeeded", classRefused: "refused", classRateLimited: "rate limited",
		classNotSent: "not sent", classAmbiguous: "ambiguous", classFailed: "failed",
	}[classOf(err)]
}
