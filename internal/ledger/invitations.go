package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// invitationTable is the table of the open invitations.
type invitationTable struct{ db *database }

const selectInvitations = `SELECT hash, name, admin, app, role, inviter, created, expires FROM invitations WHERE expires > ? `

// Invite stores an invitation, in place of an open one for the same name.
func (t invitationTable) Invite(ctx context.Context, i people.Invitation, e core.Entry) error {
	return t.db.audited(ctx, "invite "+i.Name, e, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE name = ? OR expires <= ?`, i.Name, instant{time.Now()}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO invitations (hash, name, admin, app, role, inviter, created, expires)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			i.Hash, i.Name, i.Admin, i.App, int(i.Role), i.By, instant{i.Created}, instant{i.Expires})
		return err
	})
}

// Invitations are the open ones.
func (t invitationTable) Invitations(ctx context.Context) ([]people.Invitation, error) {
	return list(ctx, t.db.reader, "invitations", scanInvitation, selectInvitations+`ORDER BY name`, instant{time.Now()})
}

// Redeem uses up the invitation with this hash and registers k. If two
// come with the same code, it is gone for the second.
func (t invitationTable) Redeem(
	ctx context.Context, hash string, k people.Key, entry func(i people.Invitation) core.Entry,
) (people.Invitation, error) {
	var i people.Invitation
	err := t.db.change(ctx, "redeem an invitation", func(ctx context.Context, tx *sql.Tx) error {
		var err error
		i, err = scanInvitation(tx.QueryRowContext(ctx, selectInvitations+`AND hash = ?`, instant{time.Now()}, hash))
		if errors.Is(err, sql.ErrNoRows) {
			return people.ErrVoid
		}
		if err != nil {
			return err
		}
		if err := checkClaim(ctx, tx, i); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE hash = ?`, hash); err != nil {
			return err
		}
		if err := register(ctx, tx, &i, k); err != nil {
			return err
		}
		return audit(ctx, tx, entry(i))
	})
	return i, err
}

// checkClaim says that a claim is void once anyone can log in.
func checkClaim(ctx context.Context, tx *sql.Tx, i people.Invitation) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM keys`).Scan(&n)
	if err == nil && i.Claim() && n > 0 {
		return fmt.Errorf("a claim is for the first key, and there is one: %w", people.ErrVoid)
	}
	return err
}

// register adds the key of whoever redeems i, with the rights that i gives.
func register(ctx context.Context, tx *sql.Tx, i *people.Invitation, k people.Key) error {
	if i.Claim() {
		i.Name = k.Name
	}
	k.Name = i.Name
	if err := addKey(ctx, tx, k, i.Admin); err != nil || i.App == "" {
		return err
	}
	return grant(ctx, tx, people.Grant{User: i.Name, App: i.App, Role: i.Role})
}

func scanInvitation(row scanner) (people.Invitation, error) {
	var i people.Invitation
	var role int
	var created, expires instant
	err := row.Scan(&i.Hash, &i.Name, &i.Admin, &i.App, &role, &i.By, &created, &expires)
	i.Role, i.Created, i.Expires = core.Role(role), created.Time, expires.Time
	return i, err
}
