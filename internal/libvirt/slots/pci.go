package slots

// PCI returns the PCI slot of the disk i of guest.MaxDisks: the other devices are at 8, 9 and 16.
func PCI(i int) int {
	switch {
	case i < 6:
		return 2 + i
	case i < 12:
		return 4 + i
	}
	return 5 + i
}
