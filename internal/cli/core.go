package cli

import (
	"context"
	"io"

	"gitd/internal/core"
	"gitd/internal/deploy"
)

// Core is what the commands ask of the core. Operations with a writer print
// their progress there, and return when they are done or have failed.
type Core interface {
	Volumes

	CreateApp(ctx context.Context, by core.Actor, app string) error
	RenameApp(ctx context.Context, by core.Actor, from, to string) error
	DestroyApp(ctx context.Context, by core.Actor, app string, w io.Writer) error
	LockApp(ctx context.Context, by core.Actor, app, reason string) error
	UnlockApp(ctx context.Context, by core.Actor, app string) error

	Rollback(ctx context.Context, by core.Actor, app string, version int, w io.Writer) error
	Redeploy(ctx context.Context, by core.Actor, app string, t core.Trigger, w io.Writer) error
	StopApp(ctx context.Context, by core.Actor, app string, w io.Writer) error
	StartApp(ctx context.Context, by core.Actor, app string, w io.Writer) error
	PinRelease(ctx context.Context, by core.Actor, app string, version int, pinned bool) error
	Usage(ctx context.Context) (deploy.Usage, error)
	Cancel(ctx context.Context, by core.Actor, app string) error

	SetConfig(ctx context.Context, by core.Actor, app string, c deploy.ConfigChange, w io.Writer) error
	SetResources(ctx context.Context, by core.Actor, app string, r core.Resources, w io.Writer) error
	AddDomain(ctx context.Context, by core.Actor, app, host string) error
	RemoveDomain(ctx context.Context, by core.Actor, app, host string) error

	Status(ctx context.Context, app string) (deploy.AppStatus, error)
	Statuses(ctx context.Context) ([]deploy.AppStatus, error)
	QueueOf(app string) []deploy.QueueEntry
	Overview() deploy.Overview
}
