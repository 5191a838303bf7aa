package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"vault-plugin-secrets-github/internal/permissionset"
)

// change is what becomes of one set.
type change struct {
	Set     string   `json:"set"`
	What    string   `json:"what"` // create, update, same, refuse
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
	Unsaid  []string `json:"unsaid,omitempty"`

	role permissionset.Role
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
