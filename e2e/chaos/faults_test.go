package chaos

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// fault is what goes wrong, how it is mended, and what may be seen of it.
type fault struct {
	name string
	// strike makes it happen; mend, if not nil, undoes it.
	strike func(*chaos) (mend func())
	// lasting: service is back once the fault is mended, and not before.
	lasting bool
	// mayLose is how many tokens may be live for GitHub's hour after it: nobody
	// is left who knows of them.
	mayLose int
	// refusals are the statuses that jobs may get; broken is one.
	refusals []int
}

// inFlight is how many tokens can be on their way at a time: one for each job and
// one for the probe.
const inFlight = workers + keepers + 1

// vaultDown are the answers of a Vault in which a node has gone: a broken
// connection, no active node, a node that is sealed or has just stood down.
var vaultDown = []int{broken, http.StatusInternalServerError, http.StatusServiceUnavailable}

// faults are in an order that lets each be seen by itself:
//   - the plugin of a leader that was killed lives on, so no lease may end for half
//     a minute after it, that tokens are left alone whose leases are renewed;
//   - what may lose tokens comes early, that there is time to see what becomes of
//     them;
//   - a standby that is killed hangs up for its clients, as they do at last, and
//     the plugin must live to revoke what they did not receive.
var faults = []fault{
	{name: "none", strike: nothing},
	{name: "leader stepped down", strike: stepDown, refusals: vaultDown},
	{name: "plugin upgraded", strike: upgradePlugin, refusals: []int{http.StatusInternalServerError}},
	{name: "leader killed", strike: killLeader, mayLose: inFlight, refusals: vaultDown},
	{name: "plugin killed", strike: killPlugin, mayLose: inFlight, refusals: []int{http.StatusInternalServerError}},
	{name: "GitHub's answers are lost", strike: loseAnswers, lasting: true, mayLose: lostAnswers,
		refusals: []int{http.StatusFailedDependency, http.StatusServiceUnavailable}},
	{name: "GitHub's answers are cut off", strike: inject(githubtest.Fault{Truncate: true}), lasting: true,
		mayLose:  inFlight, // a reset of the connection takes what was not read with it
		refusals: []int{http.StatusFailedDependency, http.StatusServiceUnavailable}},
	{name: "GitHub limits the rate", strike: inject(githubtest.SecondaryRateLimit(http.StatusForbidden, time.Second)), lasting: true,
		refusals: []int{http.StatusTooManyRequests}},
	{name: "App's key replaced", strike: replaceKey, refusals: []int{http.StatusTooManyRequests}}, // what is left of the limit
	{name: "every node killed", strike: killAll, lasting: true, mayLose: inFlight, refusals: vaultDown},
	{name: "leader sealed", strike: sealLeader, refusals: vaultDown},
	{name: "standby killed", strike: killStandby, refusals: vaultDown},
	{name: "GitHub refuses connections", strike: refuseConnections, lasting: true, mayLose: inFlight,
		refusals: []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusFailedDependency}},
	{name: "GitHub resets connections", strike: inject(githubtest.Outage()), lasting: true,
		refusals: []int{http.StatusFailedDependency, http.StatusBadGateway, http.StatusServiceUnavailable}},
	{name: "GitHub answers too late", strike: inject(githubtest.Fault{LateBy: requestTimeout + time.Second}), lasting: true,
		refusals: []int{http.StatusGatewayTimeout, http.StatusServiceUnavailable}},
	{name: "role deleted", strike: deleteRole, lasting: true, refusals: []int{http.StatusBadRequest}},
	{name: "clients hang up", strike: hangUp},
	{name: "clients hang up, reload", strike: hangUpBefore(reloadPlugin), lasting: true, refusals: []int{http.StatusInternalServerError}},
	{name: "clients hang up, step-down", strike: hangUpBefore(stepDown), lasting: true, refusals: vaultDown},
}

// explains reports whether the fault is reason for an error. What the engine
// refuses to do with a lease Vault passes on as 400.
func (f fault) explains(what string, status int, text string) bool {
	switch {
	case status == http.StatusBadRequest && strings.HasPrefix(text, "failed to "+what+" entry: "):
		return len(f.refusals) > 0
	case status == http.StatusInternalServerError && !ofVault.MatchString(text):
		return false
	}
	return text != "" && slices.Contains(f.refusals, status)
}

// ofVault matches what Vault says with status 500 when a node, its storage or the
// plugin has gone in the middle of a request.
var ofVault = regexp.MustCompile(`^(.* )?(` + strings.Join([]string{
	"local node not active but active cluster node not found", "Vault is sealed", "Vault is in standby mode",
	"internal error", "context canceled", "node is not the leader", "leadership lost while committing log",
	"plugin is shut down", "rpc error: code = (Unavailable|Canceled) .*",
}, "|") + `)$`)

// nextCommand is what the engine is run as after the upgrade.
const nextCommand = pluginName + "-next"

func nothing(*chaos) func() { return nil }

func killLeader(c *chaos) func() {
	leader := c.active()
	c.must(leader.Kill())
	return func() { c.resume(leader) }
}

func stepDown(c *chaos) func() {
	c.world.write("sys/step-down", nil)
	return nil
}

func killStandby(c *chaos) func() {
	standby, err := cluster.Standby(c.t.Context())
	c.must(err)
	c.must(standby.Kill())
	return func() { c.resume(standby) }
}

func killPlugin(c *chaos) func() {
	pids, err := c.active().PluginProcesses(nextCommand)
	c.must(err)
	if len(pids) == 0 {
		c.t.Error("the active node runs no plugin")
	}
	for _, pid := range pids {
		c.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	return nil
}

// upgradePlugin does as the documentation of Vault says: register, tune, reload.
func upgradePlugin(c *chaos) func() {
	version, err := addEngine(c.t.Context(), c.nextEngine, nextCommand)
	c.must(err)
	c.world.write("sys/mounts/"+mount+"/tune", map[string]any{"plugin_version": version})
	c.world.write("sys/plugins/reload/backend", map[string]any{"mounts": []string{mount}})
	return nil
}

// refuseConnections also cuts those that are open, with the answers on their way.
func refuseConnections(c *chaos) func() {
	c.world.network.down()
	return func() { c.world.network.up(c.t) }
}

// inject lets whatever the engine asks of GitHub meet a fault.
func inject(f githubtest.Fault) func(*chaos) func() {
	return func(c *chaos) func() {
		var removals []func()
		for _, endpoint := range []string{githubtest.MintToken, githubtest.RevokeToken, "GET /app", "GET /orgs/{org}/installation"} {
			removals = append(removals, c.world.github.Inject(f.On(endpoint)))
		}
		return func() {
			for _, remove := range removals {
				remove()
			}
		}
	}
}

// lostAnswers is how many tokens GitHub makes without anybody seeing them.
const lostAnswers = 5

func loseAnswers(c *chaos) func() {
	return c.world.github.Inject(githubtest.Fault{Cut: true, Times: lostAnswers}.On(githubtest.MintToken))
}

func replaceKey(c *chaos) func() {
	c.world.app.RotateKey()
	key := c.world.app.PrivateKeyPEM()
	leaks.WatchFor(key)
	c.world.write(mount+"/config", map[string]any{"private_key": key})
	c.world.app.RemoveKey()
	return nil
}

func deleteRole(c *chaos) func() {
	c.world.delete(mount + "/roles/" + role)
	return c.writeRole
}

func sealLeader(c *chaos) func() {
	leader := c.active()
	client, err := leader.Client(cluster.RootToken).API()
	c.must(err)
	c.must(client.Sys().SealWithContext(c.t.Context()))
	return func() { c.resume(leader) }
}

// killAll is a power cut.
func killAll(c *chaos) func() {
	for _, n := range cluster.Nodes {
		c.must(n.Kill())
	}
	return func() { c.resume(cluster.Nodes...) }
}

func hangUp(c *chaos) func() {
	c.load.impatient.Store(true)
	return func() { c.load.impatient.Store(false) }
}

// hangUpBefore lets what ends the plugin come upon tokens whose answers were lost.
func hangUpBefore(end func(*chaos) func()) func(*chaos) func() {
	return func(c *chaos) func() {
		calm := hangUp(c)
		return func() {
			end(c)
			calm()
		}
	}
}

func reloadPlugin(c *chaos) func() {
	c.world.write("sys/plugins/reload/backend", map[string]any{"mounts": []string{mount}})
	return nil
}
