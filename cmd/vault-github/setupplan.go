package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/jobtoken"
)

// plan is the difference between what is there and what should be.
type plan struct {
	Mount    string         `json:"mount"`
	Tuning   []tuneChange   `json:"tuning"`
	Policies []policyChange `json:"policies"`
}

// What becomes of a part of the plan.
const (
	planCreate  = "create"
	planUpdate  = "update"
	planSame    = "same"
	planRefuse  = "refuse"  // somebody's own policy
	planUnknown = "unknown" // what is there may not be read
)

// tuneChange is what becomes of one thing that a mount is tuned with.
type tuneChange struct {
	Key   string   `json:"key"`
	What  string   `json:"what"`
	Has   []string `json:"has,omitempty"`
	Wants []string `json:"wants"` // all that it shall have
	Adds  []string `json:"adds,omitempty"`
	Error string   `json:"error,omitempty"`

	flag, why string
	isList    bool
	err       error
}

// policyChange is what becomes of one policy.
type policyChange struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
	Policy  string   `json:"policy"`
	Error   string   `json:"error,omitempty"`

	err error
}

// ask looks at what is there.
func (s *setup) ask(ctx context.Context, policies []aclPolicy) (plan, error) {
	config, err := s.mountConfig(ctx)
	var failed *jobtoken.Error
	if errors.As(err, &failed) && failed.Status == 0 && !s.applies {
		return s.unasked(policies, err), nil // nor will Vault answer anything else
	}
	if err != nil && !isForbidden(err) {
		return plan{}, err
	}
	p := plan{Mount: s.c.mount, Tuning: s.planTuning(config, err)}
	for _, policy := range policies {
		p.Policies = append(p.Policies, s.planPolicy(ctx, policy))
	}
	return p, nil
}

// unasked is the plan of somebody who cannot ask Vault.
func (s *setup) unasked(policies []aclPolicy, err error) plan {
	p := plan{Mount: s.c.mount, Tuning: s.planTuning(nil, err)}
	for _, policy := range policies {
		p.Policies = append(p.Policies, unknownPolicy(policy, err))
	}
	return p
}

// mountConfig is how the mount is tuned. One that is not this engine's is left
// alone.
func (s *setup) mountConfig(ctx context.Context) (map[string]any, error) {
	path := "sys/mounts/" + s.c.mount
	secret, err := s.session.Read(ctx, path)
	switch {
	case isBadRequest(err) || err == nil && secret == nil:
		return nil, &exitError{statusFailed, fmt.Errorf("nothing is mounted at %[1]s: mount the engine (vault secrets enable -path=%[1]s vault-plugin-secrets-github), or give --mount", s.c.mount)}
	case err != nil:
		return nil, lacking(err, path, "read")
	}
	if version, _ := secret.Data["running_plugin_version"].(string); strings.Contains(version, "+builtin") {
		return nil, &exitError{statusFailed, fmt.Errorf("%s is a mount of Vault's own engine %v, not of this one: give --mount", s.c.mount, secret.Data["type"])}
	}
	config, _ := secret.Data["config"].(map[string]any)
	return config, nil
}

// planTuning compares a mount's configuration with what it should be; nothing is
// known of it if there is an error.
func (s *setup) planTuning(config map[string]any, err error) []tuneChange {
	var changes []tuneChange
	for _, t := range tuning {
		ch := tuneChange{Key: t.key, flag: t.flag, why: t.why, isList: true, Has: texts(config[t.key])}
		ch.Adds = t.missing(ch.Has)
		ch.Wants = slices.Concat(ch.Has, ch.Adds) // a tune replaces the list
		changes = append(changes, ch)
	}
	for key, ttl := range map[string]time.Duration{"default_lease_ttl": s.defaultTTL, "max_lease_ttl": s.maxTTL} {
		if ttl == 0 {
			continue
		}
		ch := tuneChange{Key: key, flag: strings.ReplaceAll(key, "_", "-"), why: "as asked", Wants: []string{inSeconds(ttl)}}
		if seconds, ok := config[key].(json.Number); ok {
			ch.Has = []string{seconds.String() + "s"}
		}
		if !slices.Equal(ch.Has, ch.Wants) {
			ch.Adds = ch.Wants
		}
		changes = append(changes, ch)
	}
	for i := range changes {
		changes[i].decide(err)
	}
	slices.SortStableFunc(changes, func(a, b tuneChange) int { return strings.Compare(a.Key, b.Key) })
	return changes
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%ds", int64(d.Seconds())) }

func (ch *tuneChange) decide(err error) {
	switch {
	case err != nil:
		ch.What, ch.Error, ch.err = planUnknown, err.Error(), err
	case len(ch.Adds) == 0:
		ch.What = planSame
	default:
		ch.What = planUpdate
	}
}

func (s *setup) planPolicy(ctx context.Context, policy aclPolicy) policyChange {
	path := "sys/policies/acl/" + policy.name
	secret, err := s.session.Read(ctx, path)
	if err != nil {
		return unknownPolicy(policy, lacking(err, path, "read"))
	}
	ch := policyChange{Name: policy.name, What: planCreate, Policy: policy.text}
	there := ""
	if secret != nil {
		there, _ = secret.Data["policy"].(string)
		ch.What = planUpdate
	}
	ch.Removed, ch.Added = lineDiff(there, policy.text)
	switch {
	case secret == nil:
	case strings.TrimSpace(there) == strings.TrimSpace(policy.text):
		ch.What = planSame
	case !s.overwrite:
		ch.What = planRefuse
	}
	return ch
}

func unknownPolicy(policy aclPolicy, err error) policyChange {
	return policyChange{Name: policy.name, What: planUnknown, Policy: policy.text, Error: err.Error(), err: err}
}

// lineDiff is enough for policies, in which the order of lines says nothing.
func lineDiff(before, after string) (removed, added []string) {
	old, new := strings.Split(strings.TrimSpace(before), "\n"), strings.Split(strings.TrimSpace(after), "\n")
	for _, line := range old {
		if line != "" && !slices.Contains(new, line) {
			removed = append(removed, line)
		}
	}
	for _, line := range new {
		if !slices.Contains(old, line) {
			added = append(added, line)
		}
	}
	return removed, added
}

// unknown is why a part of what is there could not be looked at, if any.
func (p plan) unknown() error {
	var failed error
	for _, ch := range p.Tuning {
		if ch.err != nil {
			failed = ch.err // the same for each
		}
	}
	for _, ch := range p.Policies {
		failed = errors.Join(failed, ch.err)
	}
	return failed
}

// conflicts are the policies that are not to be changed.
func (p plan) conflicts() []string {
	var names []string
	for _, ch := range p.Policies {
		if ch.What == planRefuse {
			names = append(names, ch.Name)
		}
	}
	return names
}

// isDone reports whether everything is as it should be.
func (p plan) isDone() bool {
	return !slices.ContainsFunc(p.Tuning, func(ch tuneChange) bool { return ch.What != planSame }) &&
		!slices.ContainsFunc(p.Policies, func(ch policyChange) bool { return ch.What != planSame })
}

// apply makes the difference, and no more.
func (s *setup) apply(ctx context.Context, p plan) error {
	fields := map[string]any{}
	for _, ch := range p.Tuning {
		switch {
		case ch.What != planUpdate:
		case ch.isList:
			fields[ch.Key] = ch.Wants
		default:
			fields[ch.Key] = ch.Wants[0]
		}
	}
	if len(fields) > 0 {
		if err := s.write(ctx, "sys/mounts/"+p.Mount+"/tune", fields); err != nil {
			return fmt.Errorf("tune %s, and write the policies after it: %w", p.Mount, err)
		}
	}
	for _, ch := range p.Policies {
		if ch.What != planCreate && ch.What != planUpdate {
			continue
		}
		if err := s.write(ctx, "sys/policies/acl/"+ch.Name, map[string]any{"policy": ch.Policy}); err != nil {
			return fmt.Errorf("the policy %s, and those after it, were not written: %w", ch.Name, err)
		}
	}
	return nil
}

func (s *setup) write(ctx context.Context, path string, fields map[string]any) error {
	_, err := s.session.Write(ctx, path, fields)
	return lacking(err, path, "update")
}

// lacking adds to a refusal by Vault's policies which one would allow it.
func lacking(err error, path, capability string) error {
	if isForbidden(err) {
		return fmt.Errorf("%w; %s", err, allowing(path, capability))
	}
	return err
}

func isForbidden(err error) bool  { return hasStatus(err, http.StatusForbidden) }
func isBadRequest(err error) bool { return hasStatus(err, http.StatusBadRequest) }

func hasStatus(err error, status int) bool {
	var failed *jobtoken.Error
	return errors.As(err, &failed) && failed.Status == status
}
