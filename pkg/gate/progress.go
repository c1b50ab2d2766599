package gate

import "context"

type progressKey struct{}

// WithProgress returns a context in which each step of an import is told, one at a time. It has
// three steps for each plan: it is checked, looked for, and written.
func WithProgress(ctx context.Context, step func()) context.Context {
	return context.WithValue(ctx, progressKey{}, step)
}

// Step calls what WithProgress put into the context, once for each step of an import.
func Step(ctx context.Context) {
	if step, ok := ctx.Value(progressKey{}).(func()); ok {
		step()
	}
}
