package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// webhookTable is the table of the webhooks, whose URLs and keys are sealed.
type webhookTable struct {
	db     *database
	sealer seal.Sealer
}

// sealedHooks is the place that secrets of webhooks are sealed for, beside the id: no app has this name.
const sealedHooks = "@webhooks"

// hookSecrets is what is sealed of a webhook.
type hookSecrets struct {
	URL string `json:"url"`
	Key []byte `json:"key"`
}

// Webhooks are those of all apps, in the order in which they were added.
func (t webhookTable) Webhooks(ctx context.Context) ([]core.Webhook, error) {
	return list(ctx, t.db.reader, "webhooks", t.scan,
		`SELECT id, coalesce(app, ''), sealed, events, seen, sent, dead, by, added FROM webhooks ORDER BY added, id`)
}

func (t webhookTable) scan(row scanner) (core.Webhook, error) {
	var h core.Webhook
	var sealed []byte
	var added instant
	if err := row.Scan(&h.ID, &h.App, &sealed, document[[]string]{&h.Events}, &h.Seen, &h.Sent, &h.Dead, &h.By, &added); err != nil {
		return h, err
	}
	h.Added = added.Time
	text, err := t.sealer.Open(sealed, sealedHooks, h.ID)
	if err != nil {
		return h, fmt.Errorf("webhook %s: %w", h.ID, err)
	}
	var s hookSecrets
	err = json.Unmarshal([]byte(text), &s)
	h.URL, h.Key = s.URL, s.Key
	return h, err
}

// AddWebhook stores a webhook and records it in the audit. It is done with every entry that is there.
func (t webhookTable) AddWebhook(ctx context.Context, h core.Webhook, e core.Entry) error {
	text, err := json.Marshal(hookSecrets{h.URL, h.Key})
	if err != nil {
		return err
	}
	sealed, err := t.sealer.Seal(string(text), sealedHooks, h.ID)
	if err != nil {
		return err
	}
	return t.db.change(ctx, "add webhook "+h.ID, func(ctx context.Context, tx *sql.Tx) error {
		if err := audit(ctx, tx, e); err != nil {
			return err
		}
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO webhooks (id, app, sealed, events, seen, by, added)
			SELECT ?1, nullif(?2, ''), ?3, ?4, (SELECT max(id) FROM entries), ?5, ?6
			WHERE ?2 = '' OR EXISTS (SELECT 1 FROM apps WHERE name = ?2)`,
			h.ID, h.App, sealed, document[[]string]{&h.Events}, h.By, instant{h.Added}))
	})
}

// RemoveWebhook forgets a webhook and records it in the audit.
func (t webhookTable) RemoveWebhook(ctx context.Context, id string, e core.Entry) error {
	return t.db.audited(ctx, "remove webhook "+id, e, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM webhooks WHERE id = ?`, id))
	})
}

// WebhookDone says that a webhook is done with the entries up to the one with the id seen, and how many events of it
// were told, and could not be told.
func (t webhookTable) WebhookDone(ctx context.Context, id string, seen, sent, dead int64) error {
	return t.db.change(ctx, "note what webhook "+id+" has seen", func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `UPDATE webhooks SET seen = max(seen, ?), sent = sent + ?, dead = dead + ? WHERE id = ?`,
			seen, sent, dead, id))
	})
}
