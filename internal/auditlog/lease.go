package auditlog

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	renewPath        = "sys/leases/renew"
	revokePath       = "sys/leases/revoke"
	revokePrefixPath = "sys/leases/revoke-prefix/"
	revokeForcePath  = "sys/leases/revoke-force/"
)

// older clients have these, which Vault keeps.
var leaseAliases = strings.NewReplacer("sys/renew", renewPath, "sys/revoke", revokePath)

func leasePath(path string) string {
	if strings.HasPrefix(path, "sys/renew") || strings.HasPrefix(path, "sys/revoke") {
		return leaseAliases.Replace(path)
	}
	return path
}

func isLeasePath(path string) bool {
	path = leasePath(path)
	return strings.HasPrefix(path, renewPath) || strings.HasPrefix(path, revokePath)
}

func isTokenRevocation(path string) bool {
	return strings.HasPrefix(path, "auth/token/revoke")
}

// leaseEvent is what a successful response about leases or a Vault token tells;
// false if that is nothing.
func leaseEvent(e *entry) (Event, bool) {
	path := leasePath(e.path())
	event := Event{Time: e.Time}
	id := e.Request.ID
	switch {
	case strings.HasPrefix(path, renewPath):
		if e.Response.LeaseID == "" {
			return event, false
		}
		event.Renewal = &Renewal{LeaseID: e.Response.LeaseID, Increment: increment(e)}
	case strings.HasPrefix(path, revokePrefixPath):
		event.Revocation = &Revocation{RequestID: id, LeasePrefix: strings.TrimPrefix(path, revokePrefixPath)}
	case strings.HasPrefix(path, revokeForcePath):
		event.Revocation = &Revocation{RequestID: id, LeasePrefix: strings.TrimPrefix(path, revokeForcePath)}
	case strings.HasPrefix(path, revokePath):
		event.Revocation = leaseRevocation(e, strings.TrimPrefix(path, revokePath))
	case path == "auth/token/revoke-self":
		event.Revocation = &Revocation{RequestID: id, Accessor: e.Auth.Accessor}
	case path == "auth/token/revoke-accessor":
		event.Revocation = &Revocation{RequestID: id, Accessor: asText(e, "accessor")}
	default: // revoke, revoke-orphan: they name the token, which no other entry shows
		return event, false
	}
	if r := event.Revocation; r != nil && r.LeaseID == "" && r.LeasePrefix == "" && r.Accessor == "" && !r.Unknown {
		return event, false
	}
	return event, true
}

func leaseRevocation(e *entry, inPath string) *Revocation {
	r := &Revocation{RequestID: e.Request.ID, LeaseID: strings.TrimPrefix(inPath, "/")}
	if r.LeaseID == "" {
		r.LeaseID = asText(e, "lease_id")
	}
	if Hashed(r.LeaseID) {
		r.LeaseID, r.Unknown = "", true
	}
	return r
}

// increment is what a renewal asked for, if Vault did not hash it.
func increment(e *entry) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSuffix(asText(e, "increment"), "s"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// asText is one value of the request's data, a string or a number.
func asText(e *entry, key string) string {
	var data map[string]any
	if len(e.Request.Data) == 0 || json.Unmarshal(e.Request.Data, &data) != nil {
		return ""
	}
	return plain(data[key])
}
