package disk

// Rejected is err, or the *core.Rejection that says what to do about a full disk where that is the cause.
func Rejected(err error) error {
	if rej := Full(err); rej != nil {
		return rej
	}
	return err
}
