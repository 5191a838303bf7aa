package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
	"vault-plugin-secrets-github/internal/permissionset"
)

const importLong = `Write a role for each permission set of the existing Vault plugin for GitHub.

A role has the name of its set and grants the same. A set that leaves out its
repositories or permissions grants all of them, and a role cannot: nothing is
written until it is said what such sets mean. Nor is a role changed that is there
already and says something else, but with --overwrite.

The App's private key cannot be read back from Vault. What helps is said at the
end.`

const importExamples = `  vault-github import permission-sets --from github-old --to github --dry-run
  vault-github import permission-sets --from github-old --to github deploy
  vault-github import permission-sets --from github-old --to github --all-repositories --permission contents=read`

func newImport(t *terminal, c *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Take over what another engine has",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImportSets(t, c))
	return cmd
}

// importer takes over permission sets.
type importer struct {
	t *terminal
	c *connection

	from, to          string
	dryRun, overwrite bool
	permissions       []string
	appPermissions    bool
	meaning           permissionset.Meaning
	format            formatFlag
	session           *jobtoken.Session
}

// change is what becomes of one set.
type change struct {
	Set     string   `json:"set"`
	What    string   `json:"what"` // create, update, same, refuse
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
	Unsaid  []string `json:"unsaid,omitempty"`

	role permissionset.Role
}

func newImportSets(t *terminal, c *connection) *cobra.Command {
	i := &importer{t: t, c: c, format: formatFlag{value: "table", allowed: tableFormats}}
	cmd := &cobra.Command{
		Use:     "permission-sets --from MOUNT [--to MOUNT] [SET...]",
		Short:   "Write roles for the permission sets of the existing plugin",
		Long:    importLong,
		Example: importExamples,
		RunE: func(cmd *cobra.Command, sets []string) error {
			if err := i.checkFlags(sets); err != nil {
				return err
			}
			return c.withSession(cmd, func(s *jobtoken.Session) error {
				i.session = s
				return i.run(cmd.Context(), sets)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&i.from, "from", "", "where the existing plugin is mounted")
	flags.StringVar(&i.to, "to", "github", "where this engine is mounted")
	flags.BoolVar(&i.dryRun, "dry-run", false, "show what would be written, and write nothing")
	flags.BoolVar(&i.overwrite, "overwrite", false, "change roles that are there and say something else")
	flags.BoolVar(&i.meaning.AllRepositories, "all-repositories", false, "sets without repositories mean every repository of the installation, also later ones")
	flags.StringArrayVar(&i.permissions, "permission", nil, "sets without permissions mean this NAME=LEVEL; may be repeated")
	flags.BoolVar(&i.appPermissions, "app-permissions", false, "sets without permissions mean those that the App default has now")
	flags.StringVar(&i.meaning.Organization, "organization", "", "sets without an installation mean that on this account")
	flags.Var(&i.format, "format", "one of "+strings.Join(tableFormats, ", "))
	return cmd
}

func (i *importer) checkFlags(sets []string) error {
	i.from, i.to = strings.Trim(i.from, "/"), strings.Trim(i.to, "/")
	switch {
	case i.from == "":
		return usagef("from where? give --from and the mount of the existing plugin")
	case i.to == "" || i.from == i.to:
		return usagef("--from and --to are the same mount, %q: mount this engine beside the existing plugin", i.to)
	case i.appPermissions && len(i.permissions) > 0:
		return usagef("--permission and --app-permissions both say what no permissions mean: give one")
	}
	for _, set := range sets {
		if err := checkRoleName(set); err != nil {
			return err
		}
	}
	var err error
	i.meaning.Permissions, err = parsePermissions(i.permissions)
	return err
}

// run decides what becomes of every set before it writes the first role.
func (i *importer) run(ctx context.Context, sets []string) error {
	if i.appPermissions {
		if err := i.askApp(ctx); err != nil {
			return err
		}
	}
	if len(sets) == 0 {
		all, err := i.session.List(ctx, i.from+"/permissionsets")
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return &exitError{statusFailed, fmt.Errorf("there are no permission sets at %s/permissionsets", i.from)}
		}
		sets = all
	}
	var changes []change
	for _, set := range slices.Sorted(slices.Values(sets)) {
		ch, err := i.plan(ctx, set)
		if err != nil {
			return fmt.Errorf("permission set %s: %w", set, err)
		}
		changes = append(changes, ch)
	}
	if err := i.show(changes); err != nil {
		return err
	}
	if slices.ContainsFunc(changes, func(ch change) bool { return ch.What == "refuse" }) {
		return &exitError{statusFailed, fmt.Errorf("nothing was written: say what the refused sets mean, or name the others")}
	}
	if !i.dryRun {
		if err := i.write(ctx, changes); err != nil {
			return err
		}
	}
	return i.tellOfTheKey(ctx)
}

// askApp makes the permissions that the App has now the meaning of none.
func (i *importer) askApp(ctx context.Context) error {
	secret, err := i.session.Read(ctx, i.to+"/config")
	if err != nil {
		return err
	}
	if secret != nil {
		i.meaning.Permissions = map[string]string{}
		has, _ := secret.Data["permissions"].(map[string]any)
		for name, level := range has {
			i.meaning.Permissions[name], _ = level.(string)
		}
	}
	if len(i.meaning.Permissions) == 0 {
		return &exitError{statusFailed, fmt.Errorf("--app-permissions: %s/config does not show the App's permissions; configure and verify the App first", i.to)}
	}
	return nil
}

func (i *importer) plan(ctx context.Context, set string) (change, error) {
	secret, err := i.session.Read(ctx, i.from+"/permissionset/"+set)
	if err != nil {
		return change{}, err
	}
	if secret == nil {
		return change{}, fmt.Errorf("it is not at %s/permissionset/%s", i.from, set)
	}
	found, err := permissionset.Parse(secret.Data)
	if err != nil {
		return change{}, err
	}
	role, unsaid := i.meaning.Convert(found)
	if len(unsaid) > 0 {
		return change{Set: set, What: "refuse", Unsaid: unsaid}, nil
	}
	return i.compare(ctx, set, role)
}

// compare looks at the role that is there already, if any.
func (i *importer) compare(ctx context.Context, set string, role permissionset.Role) (change, error) {
	secret, err := i.session.Read(ctx, i.to+"/roles/"+set)
	if err != nil {
		return change{}, err
	}
	ch := change{Set: set, What: "create", role: role}
	var old permissionset.Role
	if secret != nil {
		ch.What = "update"
		if old, err = permissionset.ParseRole(secret.Data); err != nil {
			return change{}, err
		}
	}
	ch.Removed, ch.Added = permissionset.Diff(old, role)
	switch {
	case secret == nil:
	case len(ch.Removed)+len(ch.Added) == 0:
		ch.What = "same"
	case !i.overwrite:
		ch.What, ch.Unsaid = "refuse", []string{"the role is there and says something else: --overwrite to change it"}
	}
	return ch, nil
}

func (i *importer) write(ctx context.Context, changes []change) error {
	warned := map[string]bool{}
	for _, ch := range changes {
		if ch.What == "same" {
			continue
		}
		fields := ch.role.Fields()
		if ch.What == "create" {
			fields["description"] = "permission set " + ch.Set + " of " + i.from
		}
		secret, err := i.session.Write(ctx, i.to+"/roles/"+ch.Set, fields)
		if err != nil {
			return fmt.Errorf("role %s, and those after it, were not written: %w", ch.Set, err)
		}
		if secret == nil {
			continue
		}
		for _, warning := range secret.Warnings {
			if !warned[warning] {
				warned[warning] = true
				fmt.Fprintf(i.t.err, "vault-github: role %s: warning: %s\n", ch.Set, oneLine(warning))
			}
		}
	}
	return nil
}

func (i *importer) show(changes []change) error {
	if i.format.value == "json" {
		return writeJSON(i.t.out, changes)
	}
	return writeChanges(i.t.out, changes, i.c.paletteFor(i.t.out))
}

func writeChanges(w io.Writer, changes []change, p palette) error {
	rows := &table{}
	rows.add(p.faint("      "), "ROLE", "", "SAYS")
	for _, ch := range changes {
		mark := p.faint(fmt.Sprintf("%-6s", ch.What))
		switch ch.What {
		case "create", "update":
			mark = p.good(ch.What)
		case "refuse":
			mark = p.bad(ch.What)
		}
		name := ch.Set
		add := func(sign, line string) {
			rows.add(mark, name, sign, oneLine(line))
			mark, name = p.faint("      "), ""
		}
		for _, line := range ch.Unsaid {
			add("!", line)
		}
		for _, line := range ch.Removed {
			add("-", line)
		}
		for _, line := range ch.Added {
			add("+", line)
		}
		if name != "" {
			add("=", "the same already")
		}
	}
	return rows.write(w)
}

// tellOfTheKey says how the App comes along, which nothing can copy.
func (i *importer) tellOfTheKey(ctx context.Context) error {
	app := "app_id=..."
	if secret, err := i.session.Read(ctx, i.from+"/config"); err == nil && secret != nil {
		app = fmt.Sprintf("app_id=%v", secret.Data["app_id"])
		if base, _ := secret.Data["base_url"].(string); base != "" {
			app += " base_url=" + base
		}
	}
	_, err := fmt.Fprintf(i.t.err, `
The App's private key cannot be read back from %[1]s. An App may have several: make
a new one on its page at GitHub, and give it to this engine:

  vault write %[2]s/config %[3]s private_key=@new.private-key.pem

When no job reads from %[1]s any more, disable that mount, and delete the old key
on the App's page.
`, i.from, i.to, app)
	return err
}
