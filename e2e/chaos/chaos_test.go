package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// chaos is the load and what befalls it.
type chaos struct {
	t      *testing.T
	world  *world
	ledger *ledger
	load   *load
	// nextEngine is a binary of a later version.
	nextEngine string
	// length is how long a fault lasts.
	length time.Duration
	phases []*phase
}

// Live tokens at GitHub are those under live leases, whatever fails: every token
// that a job received works until its lease ends, and dies with it; every other
// is revoked, but for those that nobody is left to know of.
func TestLiveTokensAreThoseUnderLeases(t *testing.T) {
	c := newChaos(t)
	defer c.judge()
	stop := c.start()
	for _, f := range faults {
		c.suffer(f)
		if *full {
			c.ledger.settle(t.Context(), time.Now())
		}
	}
	stop()
	c.ledger.settle(t.Context(), time.Now().Add(c.load.ttl))
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	length, ttl := 3*time.Second, 10*time.Second
	if *full {
		length, ttl = 30*time.Second, 20*time.Second
	}
	c := &chaos{t: t, world: newWorld(t), nextEngine: buildEngine(t, "v99.0.0"), length: length}
	c.ledger = newLedger(c.world.github, length)
	c.load = &load{world: c.world, ledger: c.ledger, errors: &errorLog{}, ttl: ttl}
	for _, n := range cluster.Nodes {
		client, err := n.Client("").API()
		c.must(err)
		c.load.nodes = append(c.load.nodes, client)
	}
	c.writeRole()
	return c
}

// buildEngine builds the engine as another version.
func buildEngine(t *testing.T, version string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), pluginName)
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X vault-plugin-secrets-github.Version="+version,
		"-o", binary, "./cmd/"+pluginName)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(build.Environ(), "CGO_ENABLED=0") // as make build does, so that little is built anew
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the engine: %s\n%s", err, out)
	}
	return binary
}

func (c *chaos) writeRole() {
	c.world.writeRole(role, map[string]any{"ttl": c.load.ttl.String(), "max_ttl": "1h"})
}

// start sets the jobs to work. The end of it returns when they have stopped.
func (c *chaos) start() (stop func()) {
	watching, blind := context.WithCancel(c.t.Context())
	working, finish := context.WithCancel(c.t.Context())
	var watch, work sync.WaitGroup
	watch.Go(func() { c.ledger.watch(watching) })
	work.Go(func() { c.load.run(working) })
	c.t.Cleanup(func() {
		blind()
		watch.Wait()
	})
	stop = func() {
		finish()
		work.Wait()
	}
	c.t.Cleanup(stop)
	return stop
}

// suffer lets a fault strike, and returns when it is over and the jobs have what
// they ask for.
func (c *chaos) suffer(f fault) {
	p := &phase{fault: f}
	c.phases = append(c.phases, p)
	c.ledger.begin(p)
	since := time.Now()
	mend := f.strike(c)
	if mend == nil {
		mend = func() {}
	}
	if !f.lasting {
		c.awaitService(p, since)
	}
	c.load.pauseFor(c.t.Context(), c.length)
	since = time.Now()
	mend()
	if f.lasting {
		c.awaitService(p, since)
	}
	c.awaitJobs(p)
	c.wantNoIrrevocableLease(p)
	c.t.Logf("%s: %d requests, %d served; service was back after %s", p,
		p.requests(), p.served.Load(), p.recovery.Round(time.Millisecond))
}

// awaitService waits until every node that runs gives out tokens.
func (c *chaos) awaitService(p *phase, since time.Time) {
	c.t.Helper()
	for i, n := range cluster.Nodes {
		if !n.Serves(c.t.Context()) {
			continue
		}
		vaulttest.Eventually(c.t, recoveryLimit, func() error { return c.probe(c.load.nodes[i]) })
	}
	p.recovery = time.Since(since)
}

// awaitJobs waits until the jobs, too, have noticed that service is back.
func (c *chaos) awaitJobs(p *phase) {
	c.t.Helper()
	enough := p.served.Load() + 2*workers
	vaulttest.Eventually(c.t, recoveryLimit, func() error {
		if served := p.served.Load(); served < enough {
			return fmt.Errorf("%s: %d jobs were served, not %d", p, served, enough)
		}
		return nil
	})
}

// probe takes one token, and does not try again.
func (c *chaos) probe(node *api.Client) error {
	impatient, err := node.Clone()
	if err != nil {
		return err
	}
	impatient.SetToken(cluster.RootToken)
	impatient.SetMaxRetries(0)
	began := time.Now()
	secret, err := tokenRequest.within(c.t.Context()).send(impatient)
	if err != nil {
		return err
	}
	c.load.hold(secret, began)
	return nil
}

// wantNoIrrevocableLease checks that Vault has given up no lease.
func (c *chaos) wantNoIrrevocableLease(p *phase) {
	c.t.Helper()
	c.world.asRoot("count irrevocable leases", func(root *api.Client) error {
		secret, err := root.Logical().ReadWithDataWithContext(c.t.Context(), "sys/leases/count", map[string][]string{"type": {"irrevocable"}})
		if err != nil {
			return err
		}
		if count := fmt.Sprint(secret.Data["lease_count"]); count != "0" {
			c.t.Errorf("%s: Vault has %s irrevocable leases", p, count)
		}
		return nil
	})
}

// judge reports what was seen, and fails the test if it is not what should be.
func (c *chaos) judge() {
	var report strings.Builder
	printTable(&report, c.phases)
	c.load.errors.print(&report)
	c.t.Logf("%d tokens were made\n%s", c.world.github.Minted(), report.String())
	for _, violation := range c.ledger.violations {
		c.t.Error(violation)
	}
	for _, err := range c.load.errors.unclean {
		c.t.Errorf("not a clean error: %s", err)
	}
}

func (c *chaos) active() *vaulttest.Node {
	c.t.Helper()
	active, err := cluster.Active(c.t.Context())
	c.must(err)
	return active
}

// resume lets nodes that were killed or sealed serve again.
func (c *chaos) resume(nodes ...*vaulttest.Node) {
	c.t.Helper()
	c.must(cluster.Resume(c.t.Context(), nodes...))
}

func (c *chaos) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}
