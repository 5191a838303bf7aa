package githubtest

import "time"

// Option changes how a Server is started.
type Option func(*options)

type options struct {
	now         func() time.Time
	address     string
	tokenLength int
	validate    bool
	tls         bool
	violation   func(error)
	requestLog  func(method, path string, status int)
	auditLog    bool
}

func defaultOptions() options {
	return options{
		now:         time.Now,
		address:     "127.0.0.1:0",
		tokenLength: longToken,
		validate:    true,
		violation:   func(error) {},
		requestLog:  func(string, string, int) {},
	}
}

// WithClock sets the server's clock.
func WithClock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// WithListenAddress sets where to listen; 127.0.0.1:0 is the default.
func WithListenAddress(address string) Option { return func(o *options) { o.address = address } }

// WithTokenLength sets the form of tokens: 520 characters, the stateless
// ghs_APPID_JWT of github.com and the default, or 40 as on GitHub Enterprise
// Server.
func WithTokenLength(n int) Option { return func(o *options) { o.tokenLength = n } }

// WithTLS serves https with a self-signed certificate, see [Server.CAPEM].
func WithTLS() Option { return func(o *options) { o.tls = true } }

// WithoutValidation holds nothing to GitHub's OpenAPI description: for
// benchmarks, and for tests that send what no client should.
func WithoutValidation() Option { return func(o *options) { o.validate = false } }

// WithViolationHandler is told of every violation of GitHub's OpenAPI
// description.
func WithViolationHandler(handle func(error)) Option {
	return func(o *options) { o.violation = handle }
}

// WithAuditLog keeps GitHub's audit log, see [Server.AuditLog]. It grows for as
// long as the server runs.
func WithAuditLog() Option { return func(o *options) { o.auditLog = true } }

// WithRequestLog is told of every request once it is answered; the status is 0
// if the connection was cut instead.
func WithRequestLog(log func(method, path string, status int)) Option {
	return func(o *options) { o.requestLog = log }
}
