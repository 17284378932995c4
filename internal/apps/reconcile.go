package apps

import "context"

// Reconcile finishes the renamings that the last gitd began, and tells the front door the domains of all apps. It is
// called once, at the start.
func (s *Apps) Reconcile(ctx context.Context) error {
	apps, err := s.cfg.Ledger.Apps(ctx)
	if err != nil {
		return err
	}
	for _, app := range apps {
		if app.FormerName == "" {
			continue
		}
		if err := s.moveFiles(ctx, app.FormerName, app.Name); err != nil {
			s.cfg.Log.Error("files of a renamed app not moved", "app", app.Name, "was", app.FormerName, "error", err)
		}
	}
	return s.serveNames(ctx, "")
}
