package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequestNarrowsRepositories(t *testing.T) {
	t.Parallel()
	byName := func(*Spec) {}
	byID := func(s *Spec) { s.Repositories, s.RepositoryIDs = nil, []string{"7", "8"} }
	both := func(s *Spec) { s.RepositoryIDs = []string{"7"} }
	all := func(s *Spec) { s.Repositories, s.AllRepositories = nil, true }
	installed := func(s *Spec) { s.Organization, s.InstallationID = "", 42 }
	const within = `request repositories: wanted within "api", "web", seen `
	for name, test := range map[string]struct {
		change  func(*Spec)
		names   []string
		ids     []int64
		want    Grant // of repositories
		refusal string
	}{
		"nothing": {change: byName, want: Grant{Repositories: []string{"api", "web"}, AllowedNames: []string{"api", "web"}}},
		"a name": {
			change: byName, names: []string{"web"},
			want: Grant{Repositories: []string{"web"}, AllowedNames: []string{"api", "web"}},
		},
		"a name in another case, with its owner, twice": {
			change: byName, names: []string{"ACME/Web", "web"},
			want: Grant{Repositories: []string{"web"}, AllowedNames: []string{"api", "web"}},
		},
		"names outside, all of which are named": {
			change: byName, names: []string{"api", "infra", "evil/api", "a b"},
			refusal: within + `"infra", "evil/api" is not of the role's organization "acme", "a b" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'; ` + remedyNarrow,
		},
		"an empty name": {
			change: byName, names: []string{""},
			refusal: within + `"" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'; ` + remedyNarrow,
		},
		"an id": {
			change: byID, ids: []int64{8, 8},
			want: Grant{RepositoryIDs: []int64{8}, AllowedIDs: []int64{7, 8}},
		},
		"ids outside": {
			change: byID, ids: []int64{7, 9, 10},
			refusal: "request repositories: wanted within 7, 8, seen 9, 10; " + remedyNarrow,
		},
		"ids that are none, of all": {
			change: all, ids: []int64{0, -1, 1 << 53, 7},
			refusal: "request repositories: wanted within all repositories, seen 0, -1, 9007199254740992; " + remedyNarrow,
		},
		"a name where the role holds ids": {
			change: byID, names: []string{"api"},
			want: Grant{Repositories: []string{"api"}, AllowedIDs: []int64{7, 8}},
		},
		"an id where the role holds names": {
			change: byName, ids: []int64{9},
			want: Grant{RepositoryIDs: []int64{9}, AllowedNames: []string{"api", "web"}},
		},
		"a name that may be the id's": {
			change: both, names: []string{"infra"},
			want: Grant{Repositories: []string{"infra"}, AllowedNames: []string{"api", "web"}, AllowedIDs: []int64{7}},
		},
		"names and ids": {
			change: both, names: []string{"api"}, ids: []int64{7},
			want: Grant{Repositories: []string{"api"}, RepositoryIDs: []int64{7}, AllowedNames: []string{"api", "web"}, AllowedIDs: []int64{7}},
		},
		"nothing of all": {change: all, want: Grant{AllRepositories: true}},
		"some of all": {
			change: all, names: []string{"anything"}, ids: []int64{9},
			want: Grant{Repositories: []string{"anything"}, RepositoryIDs: []int64{9}},
		},
		"another owner's of all": {
			change: all, names: []string{"evil/api"},
			refusal: `request repositories: wanted within all repositories, seen "evil/api" is not of the role's organization "acme"; ` + remedyNarrow,
		},
		"an owner where the role names an installation": {
			change: installed, names: []string{"acme/api"},
			refusal: within + `give "acme/api" without its owner, or name the organization of the role; ` + remedyNarrow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Decide(compile(t, spec(test.change)), Limits{}, job(), Request{Repositories: test.names, RepositoryIDs: test.ids}, time.Hour, noon)
			if got := refusal(d); got != test.refusal {
				t.Fatalf("refusal\n%s\nwant\n%s", got, test.refusal)
			}
			got := Grant{
				Repositories: d.Grant.Repositories, RepositoryIDs: d.Grant.RepositoryIDs, AllRepositories: d.Grant.AllRepositories,
				AllowedNames: d.Grant.AllowedNames, AllowedIDs: d.Grant.AllowedIDs,
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("grant (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestForMoreThanGitHubTakesIsRefused(t *testing.T) {
	t.Parallel()
	role := compile(t, spec(func(s *Spec) { s.Repositories, s.AllRepositories = nil, true }))
	for n, want := range map[int]string{
		500: "",
		501: "request repositories: wanted at most 500 repositories, which GitHub takes for one token, seen 501; ask for fewer",
	} {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("r%d", i))
		}
		if got := refusal(Decide(role, Limits{}, job(), Request{Repositories: names}, time.Hour, noon)); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestRequestNarrowsPermissions(t *testing.T) {
	t.Parallel()
	type permissions = map[string]string
	const most = "request permissions: wanted at most contents=write,issues=read, seen "
	for name, test := range map[string]struct {
		asked, want permissions
		refusal     string
	}{
		"none":            {want: permissions{"contents": "write", "issues": "read"}},
		"one":             {asked: permissions{"issues": "read"}, want: permissions{"issues": "read"}},
		"a lower level":   {asked: permissions{"contents": "read"}, want: permissions{"contents": "read"}},
		"the same level":  {asked: permissions{"contents": "write"}, want: permissions{"contents": "write"}},
		"a higher level":  {asked: permissions{"contents": "admin"}, refusal: most + "contents=admin; " + remedyNarrow},
		"two outside":     {asked: permissions{"issues": "write", "secrets": "read", "contents": "read"}, refusal: most + "issues=write,secrets=read; " + remedyNarrow},
		"no such level":   {asked: permissions{"contents": "none"}, refusal: most + "contents=none; " + remedyNarrow},
		"an empty level":  {asked: permissions{"contents": ""}, refusal: most + "contents=; " + remedyNarrow},
		"metadata":        {asked: permissions{"metadata": "read"}, want: permissions{"metadata": "read"}},
		"metadata, write": {asked: permissions{"metadata": "write"}, refusal: most + "metadata=write; " + remedyNarrow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Decide(compile(t, spec()), Limits{}, job(), Request{Permissions: test.asked}, time.Hour, noon)
			if got := refusal(d); got != test.refusal {
				t.Errorf("refusal\n%s\nwant\n%s", got, test.refusal)
			}
			if diff := cmp.Diff(test.want, d.Grant.Permissions); diff != "" {
				t.Errorf("permissions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTTLIsTheLeastOfAllThatBoundIt(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for name, test := range map[string]struct {
		ttl, maxTTL, limit, mount, asked time.Duration
		wantTTL, wantMax                 time.Duration
		refusal                          string
	}{
		"the role's":                     {ttl: 10 * minute, mount: time.Hour, wantTTL: 10 * minute, wantMax: time.Hour},
		"the mount's":                    {mount: 30 * minute, wantTTL: 30 * minute, wantMax: time.Hour},
		"the mount's, capped by GitHub":  {mount: 768 * time.Hour, wantTTL: time.Hour, wantMax: time.Hour},
		"the mount's, capped by max_ttl": {maxTTL: 5 * minute, mount: time.Hour, wantTTL: 5 * minute, wantMax: 5 * minute},
		"the limit's":                    {ttl: 10 * minute, limit: 3 * minute, mount: time.Hour, wantTTL: 3 * minute, wantMax: 3 * minute},
		"a limit above":                  {ttl: 10 * minute, maxTTL: 20 * minute, limit: time.Hour, mount: time.Hour, wantTTL: 10 * minute, wantMax: 20 * minute},
		"asked":                          {ttl: 10 * minute, mount: time.Hour, asked: minute, wantTTL: minute, wantMax: time.Hour},
		"asked, all of it":               {ttl: 10 * minute, mount: time.Hour, asked: 10 * minute, wantTTL: 10 * minute, wantMax: time.Hour},
		"asked, above the role": {
			ttl: 10 * minute, mount: time.Hour, asked: 11 * minute,
			refusal: "request ttl: wanted at most 10m0s, seen 11m0s; ask for less, or leave ttl out",
		},
		"asked, above the limit": {
			ttl: 10 * minute, limit: 3 * minute, mount: time.Hour, asked: 4 * minute,
			refusal: "request ttl: wanted at most 3m0s, seen 4m0s; ask for less, or leave ttl out",
		},
		"asked, above the mount": {
			mount: 3 * minute, asked: 4 * minute,
			refusal: "request ttl: wanted at most 3m0s, seen 4m0s; ask for less, or leave ttl out",
		},
		"asked, negative": {
			ttl: 10 * minute, mount: time.Hour, asked: -1,
			refusal: "request ttl: wanted at most 10m0s, seen -1ns; ask for less, or leave ttl out",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := compile(t, spec(func(s *Spec) { s.TTL, s.MaxTTL = test.ttl, test.maxTTL }))
			d := Decide(role, Limits{MaxTTL: test.limit}, job(), Request{TTL: test.asked}, test.mount, noon)
			if got := refusal(d); got != test.refusal {
				t.Errorf("refusal %s, want %s", got, test.refusal)
			}
			if d.Grant.TTL != test.wantTTL || d.Grant.MaxTTL != test.wantMax {
				t.Errorf("ttl %s, max_ttl %s", d.Grant.TTL, d.Grant.MaxTTL)
			}
		})
	}
}
