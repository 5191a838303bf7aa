package jobtoken

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Saved is a lease as one process leaves it for another of the same job. It
// holds secrets.
type Saved struct {
	Token string    `json:"token"`
	Ends  time.Time `json:"ends"`
	// Lasts is how long the lease was when it was made.
	Lasts   time.Duration `json:"lasts"`
	LeaseID string        `json:"lease_id"`
	// VaultToken is that of the login that was made for the lease; empty if the
	// Vault token was there before.
	VaultToken string `json:"vault_token,omitempty"`
}

// Fresh reports whether more than a fifth of the lease is left, so that who gets
// the token has the time to use it. Leases are renewed earlier than that.
func (s Saved) Fresh() bool { return time.Until(s.Ends) > s.Lasts/5 }

// Revoke ends a lease, whichever process made it, and the login that was made for
// it. It is no error if both have ended already.
func (c Config) Revoke(ctx context.Context, saved Saved) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if saved.VaultToken != "" {
		client.SetToken(saved.VaultToken)
	}
	session := &Session{config: c, client: client}
	if saved.VaultToken == "" || isBatch(saved.VaultToken) {
		err = session.RevokeLease(ctx, saved.LeaseID)
	} else {
		err = session.revokeSelf(ctx)
	}
	var failed *Error
	if time.Now().After(saved.Ends) && errors.As(err, &failed) && failed.Status == http.StatusForbidden {
		return nil // the Vault token has ended, and the lease with it
	}
	return err
}
