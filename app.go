package githubsecrets

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

const (
	// appStorage holds one entry for each App; it is seal-wrapped.
	appStorage = "config/"
	// defaultApp is the App that "config" names and roles use unless they say
	// otherwise.
	defaultApp = "default"

	defaultRequestTimeout = 10 * time.Second
	maxRequestTimeout     = time.Minute
)

// app is a GitHub App as an administrator configured it, with what GitHub said
// of it at that time.
type app struct {
	Name string `json:"-"`

	AppID          int64         `json:"app_id,omitempty"`
	ClientID       string        `json:"client_id,omitempty"`
	PrivateKey     string        `json:"private_key"`
	BaseURL        string        `json:"base_url"`
	CAPEM          string        `json:"ca_pem,omitempty"`
	ProxyURL       string        `json:"proxy_url,omitempty"`
	RequestTimeout time.Duration `json:"request_timeout"`
	MaxConcurrent  int64         `json:"max_concurrent_requests"`
	Disabled       bool          `json:"disabled,omitempty"`

	// KeyWritten is when the private key was first written; zero for those
	// written before this was kept.
	KeyWritten  time.Time         `json:"key_written,omitzero"`
	Fingerprint string            `json:"fingerprint"`
	Slug        string            `json:"slug,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Permissions map[string]string `json:"permissions,omitempty"`

	client *githubapp.Client
}

// validate checks every field, normalizes the base URL and makes the client.
func (a *app) validate(b *backend) error {
	if a.AppID == 0 && a.ClientID == "" {
		return badRequestf("give client_id or app_id: GitHub shows both on the App's page")
	}
	if a.PrivateKey == "" {
		return badRequestf("private_key is missing: give the .pem file that GitHub made (private_key=@app.private-key.pem)")
	}
	key, err := githubapp.ParsePrivateKey(a.PrivateKey)
	if err != nil {
		return badRequestf("private_key: %s", err)
	}
	a.Fingerprint = githubapp.Fingerprint(key)
	if a.BaseURL, err = githubapp.ParseBaseURL(a.BaseURL); err != nil {
		return badRequestf("base_url: %s", err)
	}
	if a.RequestTimeout < time.Second || a.RequestTimeout > maxRequestTimeout {
		return badRequestf("request_timeout: %s is not between 1s and %s", a.RequestTimeout, maxRequestTimeout)
	}
	if a.MaxConcurrent < 1 || a.MaxConcurrent > githubapp.MaxConcurrent {
		return badRequestf("max_concurrent_requests: %d is not between 1 and %d, the most that GitHub takes from one App",
			a.MaxConcurrent, githubapp.MaxConcurrent)
	}
	// What is left are ca_pem and proxy_url, which only the client reads.
	a.client, err = githubapp.New(githubapp.Config{
		Endpoint: a.endpoint(), AppID: a.AppID, ClientID: a.ClientID, Key: key,
		UserAgent: userAgent(), Now: b.now, Custodian: b.custodian, MaxConcurrent: int(a.MaxConcurrent),
		Observe: b.metrics.observerOf(a.Name),
	})
	if err != nil {
		return badRequestf("%s", err)
	}
	return nil
}

func (a *app) endpoint() githubapp.Endpoint {
	return githubapp.Endpoint{
		BaseURL: a.BaseURL, CAPEM: a.CAPEM, ProxyURL: a.ProxyURL, RequestTimeout: a.RequestTimeout,
	}
}

// verify asks GitHub whether the key belongs to the App, and keeps what GitHub
// says of it.
func (a *app) verify(ctx context.Context) error {
	info, err := a.client.App(ctx)
	switch {
	case githubapp.IsKind(err, githubapp.KeyRefused), githubapp.IsKind(err, githubapp.NotFound):
		return badRequestf("private_key: the GitHub at %s does not know the key with fingerprint %s as one of the App %s: %s",
			a.BaseURL, a.Fingerprint, a.issuer(), err)
	case err != nil:
		return fmt.Errorf("verify the App (verify=false writes it without asking GitHub): %w", err)
	case a.AppID != 0 && a.AppID != info.ID:
		return badRequestf("app_id: the key belongs to the App %q with app_id %d, not %d", info.Slug, info.ID, a.AppID)
	case a.ClientID != "" && info.ClientID != "" && a.ClientID != info.ClientID:
		return badRequestf("client_id: the key belongs to the App %q with client_id %s, not %s", info.Slug, info.ClientID, a.ClientID)
	}
	a.Slug, a.Owner, a.Permissions = info.Slug, info.Owner, info.Permissions
	return nil
}

// issuer names the App as its JWT does.
func (a *app) issuer() string {
	if a.ClientID != "" {
		return a.ClientID
	}
	return fmt.Sprint(a.AppID)
}

// redactedProxyURL is the proxy's URL without its password.
func (a *app) redactedProxyURL() string {
	u, err := url.Parse(a.ProxyURL)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

// loadApp reads an App from storage; nil if there is none. Its client is not made.
func loadApp(ctx context.Context, storage logical.Storage, name string) (*app, error) {
	// An entry written before there was such a field has its default.
	a := &app{Name: name, MaxConcurrent: githubapp.DefaultMaxConcurrent}
	found, err := load(ctx, storage, appStorage+name, a)
	if err != nil || !found {
		return nil, err
	}
	return a, nil
}

// configuredApp returns an App that is ready to ask GitHub, from the cache if it
// was used before; nil if there is none.
func (b *backend) configuredApp(ctx context.Context, storage logical.Storage, name string) (*app, error) {
	return b.apps.get(name, func() (*app, error) {
		a, err := loadApp(ctx, storage, name)
		if err != nil || a == nil {
			return nil, err
		}
		if err := a.validate(b); err != nil {
			return nil, fmt.Errorf("stored App %q: %w", name, err)
		}
		return a, nil
	})
}

// cacheApps makes every App ready, as if each had been used.
func (b *backend) cacheApps(ctx context.Context, storage logical.Storage) error {
	names, err := storage.List(ctx, appStorage)
	if err != nil {
		return fmt.Errorf("list the Apps: %w", err)
	}
	for _, name := range names {
		if _, err := b.configuredApp(ctx, storage, name); err != nil {
			b.Logger().Warn("an App cannot be used", "app", name, "error", err)
		}
	}
	return nil
}

// usableApp returns an App that may be used for a token now.
func (b *backend) usableApp(ctx context.Context, req *logical.Request, name string) (*app, error) {
	a, err := b.configuredApp(ctx, req.Storage, name)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, badRequestf("the App %q is not configured; an administrator writes it to %s%s", name, req.MountPoint, configPath(name))
	case a.Disabled:
		return nil, refusalf("the App %q is disabled; an administrator enables it with disabled=false on %s%s", name, req.MountPoint, configPath(name))
	}
	return a, nil
}

// configPath is where an App is configured, below the mount.
func configPath(name string) string {
	if name == defaultApp {
		return strings.TrimSuffix(appStorage, "/")
	}
	return appStorage + name
}
