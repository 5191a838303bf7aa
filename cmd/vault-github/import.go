package main

import (
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
	flags.StringVar(&i.from, "from", "", "`MOUNT` of the existing plugin")
	flags.StringVar(&i.to, "to", "github", "`MOUNT` of this engine")
	flags.BoolVar(&i.dryRun, "dry-run", false, "show what would be written, and write nothing")
	flags.BoolVar(&i.overwrite, "overwrite", false, "change roles that are there and say something else")
	flags.BoolVar(&i.meaning.AllRepositories, "all-repositories", false, "sets without repositories mean every repository of the installation, also later ones")
	flags.StringArrayVar(&i.permissions, "permission", nil, "sets without permissions mean this `NAME=LEVEL`; may be repeated")
	flags.BoolVar(&i.appPermissions, "app-permissions", false, "sets without permissions mean those that the App default has now")
	flags.StringVar(&i.meaning.Organization, "organization", "", "sets without an installation mean that on this `ACCOUNT`")
	flags.Var(&i.format, "format", "`FORMAT`: one of "+strings.Join(tableFormats, ", "))
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
