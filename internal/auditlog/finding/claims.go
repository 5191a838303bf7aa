package finding

import (
	"fmt"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// unusualClaims finds a job that gets a token to write with and differs from all
// before it: another workflow, another branch, another event.
type unusualClaims struct {
	noStrays
	history int
	roles   map[string]*claimHistory
	found   groups
}

// claimHistory is what was seen at one role of one identity.
type claimHistory struct {
	issued int
	values map[string]map[string]bool // of each claim
	varies map[string]bool            // claims with too many values to learn from
}

// watchedClaims say what runs. Claims that say which run it is, who started it or
// which commit it is differ from job to job.
var watchedClaims = []string{"workflow_ref", "job_workflow_ref", "workflow", "ref", "event_name", "environment", "ref_protected", "pipeline_source"}

// mostValues is how many values of a claim are learned.
const mostValues = 50

func (r *unusualClaims) account(a *ledger.Account) {
	if a.Outcome != auditlog.Issued || !writes(a.Grant) {
		return
	}
	key := roleOf(a) + "\x00" + jobOf(a)
	if r.roles == nil {
		r.roles = map[string]*claimHistory{}
	}
	h := r.roles[key]
	if h == nil {
		if len(r.roles) >= mostGroups {
			return
		}
		h = &claimHistory{values: map[string]map[string]bool{}, varies: map[string]bool{}}
		r.roles[key] = h
	}
	if unusual := h.learn(a, r.history); len(unusual) > 0 {
		f := r.found.of(key, func() Finding {
			return Finding{
				Rule: "unusual-claims", Severity: Medium, Role: roleOf(a), Subject: jobOf(a),
				Title:  "a job unlike those before it got a token that writes",
				Remedy: "See whether this workflow, branch or event is meant to. If not, bind it in the role (bound_claims), and look at what was done with the token.",
			}
		})
		f.note(a.Time, a.ID, strings.Join(unusual, ", ")+" is new at this role")
	}
}

// writes reports whether a grant is for more than reading.
func writes(g *auditlog.Grant) bool {
	for _, level := range g.Permissions {
		if level == "write" || level == "admin" {
			return true
		}
	}
	return false
}

// learn adds what is known of a job, and returns the claims whose value is new
// after a history without it.
func (h *claimHistory) learn(a *ledger.Account, history int) []string {
	var unusual []string
	for _, claim := range watchedClaims {
		value := a.Grant.Claims[claim]
		if value == "" || auditlog.Hashed(value) {
			value = a.Login[claim]
		}
		if value == "" || h.varies[claim] {
			continue
		}
		seen := h.values[claim]
		if seen == nil {
			seen = map[string]bool{}
			h.values[claim] = seen
		}
		if seen[value] {
			continue
		}
		// A claim with many values, such as a branch for every release, tells
		// nothing by one more.
		if h.issued >= history && len(seen) > 0 && len(seen)*10 <= h.issued {
			unusual = append(unusual, fmt.Sprintf("%s=%s", claim, value))
		}
		seen[value] = true
		if len(seen) > mostValues {
			h.varies[claim] = true
			delete(h.values, claim)
		}
	}
	h.issued++
	return unusual
}

func (r *unusualClaims) findings(time.Time, []string) []Finding { return r.found.all() }
