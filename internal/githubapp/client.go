package githubapp

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"
	"golang.org/x/sync/singleflight"
)

// Config is one GitHub App on one GitHub.
type Config struct {
	Endpoint
	// AppID or ClientID is who the App's JWT comes from; ClientID, which GitHub
	// recommends, goes first.
	AppID    int64
	ClientID string
	Key      *rsa.PrivateKey

	// UserAgent is sent with every request, for GitHub's audit log.
	UserAgent string
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Custodian takes the tokens that Mint could not hand over.
	Custodian *Custodian
	// MaxConcurrent is how many calls may be under way at once;
	// [DefaultMaxConcurrent] if 0.
	MaxConcurrent int
	// Observe, if not nil, is told of every call to GitHub. It must not block.
	Observe func(Call)
}

// Client asks one GitHub as one App. It is safe for concurrent use.
type Client struct {
	endpoint Endpoint
	rest     *github.Client
	signer   *signer
	traffic  *traffic
	tokens   *Revoker
	now      func() time.Time
	custody  *Custodian
	rate     atomic.Pointer[Rate]

	lookups singleflight.Group
	// installations holds the installation of each account asked for, and by id.
	mu            sync.Mutex
	installations map[string]Installation
}

// New returns a client for the App. It asks GitHub nothing.
func New(cfg Config) (*Client, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	transport, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	signer := newSigner(cfg)
	rest, err := restClient(cfg, transport, signer)
	if err != nil {
		return nil, err
	}
	traffic := newTraffic(cfg.MaxConcurrent, cfg.Now, cfg.Observe, transport.CloseIdleConnections)
	return &Client{
		endpoint:      cfg.Endpoint,
		rest:          rest,
		signer:        signer,
		traffic:       traffic,
		tokens:        newRevoker(cfg.Endpoint, transport, traffic, cfg.UserAgent),
		now:           cfg.Now,
		custody:       cfg.Custodian,
		installations: map[string]Installation{},
	}, nil
}

func newSigner(cfg Config) *signer {
	issuer := cfg.ClientID
	if issuer == "" {
		issuer = strconv.FormatInt(cfg.AppID, 10)
	}
	return &signer{issuer: issuer, key: cfg.Key, now: cfg.Now}
}

func restClient(cfg Config, transport http.RoundTripper, signer *signer) (*github.Client, error) {
	signing, err := ghinstallation.NewAppsTransportWithOptions(transport, cfg.AppID, ghinstallation.WithSigner(signer))
	if err != nil {
		return nil, fmt.Errorf("set up the App's transport: %w", err)
	}
	base := cfg.BaseURL + "/"
	rest, err := github.NewClient(
		github.WithHTTPClient(directClient(&skewTransport{next: signing, signer: signer})),
		github.WithURLs(&base, nil),
		github.WithUserAgent(cfg.UserAgent),
		github.WithDisableRateLimitCheck(), // traffic does it, for revocations too
	)
	if err != nil {
		return nil, fmt.Errorf("set up the client of %s: %w", cfg.BaseURL, err)
	}
	return rest, nil
}

// directClient never follows a redirect: the transport would sign a JWT for
// whatever host it leads to, and a renamed account must be renamed in the role.
func directClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Endpoint is the GitHub that the client talks to.
func (c *Client) Endpoint() Endpoint { return c.endpoint }

// AppInfo is what GitHub says of an App.
type AppInfo struct {
	ID          int64
	ClientID    string
	Slug        string
	Owner       string
	Permissions map[string]string
}

// App asks GitHub which App the key belongs to.
func (c *Client) App(ctx context.Context) (AppInfo, error) {
	var answer struct {
		ID       int64  `json:"id"`
		ClientID string `json:"client_id"`
		Slug     string `json:"slug"`
		Owner    struct {
			Login string `json:"login"`
			Slug  string `json:"slug"` // of an enterprise
		} `json:"owner"`
		Permissions map[string]string `json:"permissions"`
	}
	if err := c.get(ctx, "look up the App", "app", &answer); err != nil {
		return AppInfo{}, err
	}
	owner := answer.Owner.Login
	if owner == "" {
		owner = answer.Owner.Slug
	}
	return AppInfo{
		ID: answer.ID, ClientID: answer.ClientID, Slug: answer.Slug,
		Owner: owner, Permissions: answer.Permissions,
	}, nil
}

// Load is what is under way at GitHub for this App.
func (c *Client) Load() Load { return c.traffic.load() }

// Skew is how far GitHub's clock is ahead of this machine's, as far as App JWTs
// had to be corrected for it.
func (c *Client) Skew() time.Duration { return c.signer.skew() }

// get asks for a small JSON answer, and asks again while GitHub does not work
// and the request timeout has not passed.
func (c *Client) get(ctx context.Context, op, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.endpoint.RequestTimeout)
	defer cancel()
	end, err := c.traffic.begin(ctx, op, minting)
	if err != nil {
		return err
	}
	var status int
	err = retry(ctx, isUnreachable, func(ctx context.Context) (err error) {
		status, err = c.getOnce(ctx, op, path, into)
		return err
	})
	end(status, err)
	return err
}

// getOnce returns GitHub's HTTP status, 0 if it did not answer.
func (c *Client) getOnce(ctx context.Context, op, path string, into any) (status int, err error) {
	req, err := c.rest.NewRequest(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	resp, err := c.rest.BareDo(req)
	c.noteRate(resp)
	if err != nil {
		failure := classify(op, err, c.now())
		return failure.Status, failure
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body, maxAnswer)
	if err != nil {
		return resp.StatusCode, classify(op, err, c.now())
	}
	if err := json.Unmarshal(body, into); err != nil {
		return resp.StatusCode, &Error{Kind: Unavailable, Op: op, Status: resp.StatusCode,
			Message: "the answer is not GitHub's JSON " + contentType(resp.Response) + "; is base_url the API of a GitHub?"}
	}
	return resp.StatusCode, nil
}

// escape makes one path segment of a name.
func escape(name string) string { return url.PathEscape(name) }
