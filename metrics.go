package githubsecrets

import (
	"context"
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"vault-plugin-secrets-github/internal/githubapp"
)

// metrics are what this mount counts on this node. Labels hold names that an
// administrator chose, and words of a fixed set: a job cannot add to them.
type metrics struct {
	registry    *prometheus.Registry
	issued      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	renewed     *prometheus.CounterVec
	revocations *prometheus.CounterVec
	calls       *prometheus.HistogramVec
	waits       *prometheus.HistogramVec
}

const metricsNamespace = "vault_github"

func newMetrics(b *backend) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Name: name, Help: help,
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, labels)
	}
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		issued:      counter("tokens_issued_total", "Tokens handed to Vault.", "role", "app"),
		refused:     counter("tokens_refused_total", "Requests for a token that ended without one.", "role", "reason"),
		renewed:     counter("lease_renewals_total", "Renewals of leases.", "result"),
		revocations: counter("lease_revocations_total", "Revocations of leases.", "app", "result"),
		calls:       histogram("github_request_duration_seconds", "How long GitHub took, retries included.", "app", "operation", "result", "status"),
		waits:       histogram("github_request_wait_seconds", "How long a request waited for its turn.", "app"),
	}
	m.registry.MustRegister(m.issued, m.refused, m.renewed, m.revocations, m.calls, m.waits,
		stateCollector{b}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observerOf counts the calls of one App.
func (m *metrics) observerOf(app string) func(githubapp.Call) {
	return func(c githubapp.Call) {
		m.calls.WithLabelValues(app, c.Op, c.Result, statusText(c.Status)).Observe(c.Elapsed.Seconds())
		m.waits.WithLabelValues(app).Observe(c.Waited.Seconds())
	}
}

// forget drops the series of a role or an App that is deleted: its name may be
// given to another. Leases of an App that end after it bring its revocations back.
func (m *metrics) forget(label, name string) {
	of := prometheus.Labels{label: name}
	m.issued.DeletePartialMatch(of)
	m.refused.DeletePartialMatch(of)
	m.revocations.DeletePartialMatch(of)
	m.calls.DeletePartialMatch(of)
	m.waits.DeletePartialMatch(of)
}

// statusText is an HTTP status as a label.
func statusText(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}

// reasonOf is the class of an error.
func reasonOf(err error) string {
	var (
		bad     badRequest
		refused refusal
		github  *githubapp.Error
	)
	switch {
	case errors.As(err, &bad):
		return "bad_request"
	case errors.As(err, &refused):
		return "policy"
	case errors.As(err, &github):
		return "github_" + github.Kind.String()
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "internal"
	}
}

// resultOf is "ok" or the class of an error.
func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	return reasonOf(err)
}

// stateCollector tells what is so at the moment of the scrape.
type stateCollector struct{ b *backend }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, "", name), help, labels, nil)
}

var (
	inFlightGauge = gauge("github_requests_in_flight", "Requests under way at GitHub.", "app")
	waitingGauge  = gauge("github_requests_waiting", "Requests that wait for their turn.", "app", "class")
	breakerGauge  = gauge("github_breaker_state", "1 for the state that the breaker is in: closed, half-open, open.", "app", "state")
	pausedGauge   = gauge("github_rate_limit_pause_seconds", "How long GitHub has asked to be left alone.", "app")
	skewGauge     = gauge("github_clock_skew_seconds", "How far GitHub's clock is ahead, as far as App JWTs had to be corrected.", "app")
	watchedGauge  = gauge("tokens_watched", "Tokens handed out by this node whose leases are not known to have ended.")
	custodyGauge  = gauge("tokens_in_custody", "Tokens that nobody received and that are not yet revoked.")
	liveGauge     = gauge("leases_live", "Leases whose tokens are not known to be dead: issued or renewed by this process, not seen revoked since, and within GitHub's hour. Those of a process before count once they are renewed; those whose answer was lost count for the hour.")
	limitGauge    = gauge("github_rate_limit", "Requests per hour that GitHub takes of the App itself, as it last said; revocations do not count against it.", "app")
	leftGauge     = gauge("github_rate_limit_remaining", "How many of these are left.", "app")
	keyGauge      = gauge("app_key_age_seconds", "Since the App's private key was written to Vault; none for keys written before there was such a record.", "app")
	keysGauge     = gauge("issuer_keys_age_seconds", "Since the keys of the issuer's ID tokens were fetched; none until they are.", "issuer")
	cacheGauge    = gauge("cache_entries", "Entries that are kept in memory.", "cache")
	buildGauge    = gauge("build_info", "1; the labels tell the version.", "version", "go_version", "revision")
)

// Describe implements prometheus.Collector.
func (stateCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		inFlightGauge, waitingGauge, breakerGauge, pausedGauge, skewGauge, watchedGauge, custodyGauge,
		liveGauge, limitGauge, leftGauge, keyGauge, keysGauge, cacheGauge, buildGauge,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	set := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	now := c.b.now()
	installations := 0
	c.b.apps.each(func(name string, a *app) {
		installations += a.client.KnownInstallations()
		if rate, ok := a.client.Rate(); ok {
			set(limitGauge, float64(rate.Limit), name)
			set(leftGauge, float64(rate.Remaining), name)
		}
		if !a.KeyWritten.IsZero() {
			set(keyGauge, now.Sub(a.KeyWritten).Seconds(), name)
		}
		load := a.client.Load()
		set(inFlightGauge, float64(load.InFlight), name)
		set(waitingGauge, float64(load.WaitingToMint), name, "mint")
		set(waitingGauge, float64(load.WaitingToRevoke), name, "revoke")
		for _, state := range []string{"closed", "half-open", "open"} {
			set(breakerGauge, oneIf(state == load.Breaker), name, state)
		}
		set(pausedGauge, load.Paused.Seconds(), name)
		set(skewGauge, a.client.Skew().Seconds(), name)
	})
	watched, custody := c.b.custodian.Holds()
	set(watchedGauge, float64(watched))
	set(custodyGauge, float64(custody))
	set(liveGauge, float64(c.b.live.count(now)))
	c.b.issuers.each(func(name string, i *issuer) {
		if fetched := i.keysFetched(); !fetched.IsZero() {
			set(keysGauge, now.Sub(fetched).Seconds(), name)
		}
	})
	for name, entries := range map[string]int{
		"apps": c.b.apps.len(), "issuers": c.b.issuers.len(), "roles": c.b.roles.len(), "limits": c.b.limits.len(),
		"installations": installations, "revokers": c.b.revokers.len(),
	} {
		set(cacheGauge, float64(entries), name)
	}
	build := thisBuild()
	set(buildGauge, 1, Version, build.goVersion, build.revision)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
