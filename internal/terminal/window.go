// Package terminal is how text looks where people read it: the window that a client has, tables that fit it, colours,
// and the words for a time or a version in a cell.
//
// It owns the layout, and that nothing in a table can give a terminal a command. It does not own what is shown, nor how
// a client's window reaches gitd (packages server and control).
package terminal

import "context"

// Size is that of a window, in columns and rows of characters.
type Size struct{ Width, Height int }

// The largest window that is drawn on, and the one of a client that does not
// know its own: sizes come from outside, and a screen is kept in memory.
const (
	maxWidth, maxHeight         = 500, 200
	defaultWidth, defaultHeight = 80, 24
)

// NewSize is a size that can be drawn on.
func NewSize(width, height int) Size {
	if width <= 0 || height <= 0 {
		return Size{defaultWidth, defaultHeight}
	}
	return Size{min(width, maxWidth), min(height, maxHeight)}
}

// Window is what a person looks at.
type Window struct {
	Size
	Resized <-chan Size // later sizes; nil: it keeps its size
}

// Sizes passes on the later sizes of a window in another form, until there are no more or ctx ends. A window that keeps
// its size (nil) has none.
func Sizes[From, To any](ctx context.Context, from <-chan From, form func(From) To) <-chan To {
	if from == nil {
		return nil
	}
	to := make(chan To)
	go func() {
		defer close(to)
		for {
			select {
			case size, ok := <-from:
				if !ok {
					return
				}
				select {
				case to <- form(size):
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return to
}
