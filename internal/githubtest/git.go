package githubtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const defaultBranch = "main"

// gitRepository is a bare repository on disk, made when it is first used.
type gitRepository struct {
	dir  string
	make func() error
}

func (s *Server) newGitRepository(id int64, files map[string]string) *gitRepository {
	g := &gitRepository{dir: filepath.Join(s.gitRoot, strconv.FormatInt(id, 10)+".git")}
	g.make = sync.OnceValue(func() error {
		// Who asked first may leave; others wait for the same.
		ctx := context.Background()
		if _, err := git(ctx, nil, "init", "--quiet", "--bare", "--template=", "--initial-branch="+defaultBranch, g.dir); err != nil {
			return err
		}
		if len(files) == 0 {
			return nil
		}
		return g.fastImport(ctx, "Initial commit", "", files)
	})
	return g
}

// commit adds a commit that writes the files to the default branch.
func (g *gitRepository) commit(ctx context.Context, message string, files map[string]string) error {
	_, exists, err := g.object(ctx, "refs/heads/"+defaultBranch)
	if err != nil {
		return err
	}
	from := ""
	if exists {
		from = "from refs/heads/" + defaultBranch + "^0\n"
	}
	return g.fastImport(ctx, message, from, files)
}

func (g *gitRepository) fastImport(ctx context.Context, message, from string, files map[string]string) error {
	var stream bytes.Buffer
	fmt.Fprintf(&stream, "commit refs/heads/%s\n", defaultBranch)
	fmt.Fprintf(&stream, "committer GitHub <noreply@github.com> 1704164645 +0000\n")
	fmt.Fprintf(&stream, "data %d\n%s\n%s", len(message), message, from)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&stream, "M 100644 inline %s\ndata %d\n%s\n", path, len(files[path]), files[path])
	}
	_, err := git(ctx, stream.Bytes(), "-C", g.dir, "fast-import", "--quiet")
	return err
}

// gitBlob is a file in a repository.
type gitBlob struct {
	sha     string
	content []byte
}

// readFile returns a file as it is on the branch.
func (g *gitRepository) readFile(ctx context.Context, branch, path string) (blob gitBlob, found bool, err error) {
	return g.object(ctx, "refs/heads/"+branch+":"+path)
}

// object returns the git object of a name, found if it is a file or commit.
func (g *gitRepository) object(ctx context.Context, name string) (blob gitBlob, found bool, err error) {
	if err := g.make(); err != nil {
		return gitBlob{}, false, err
	}
	out, err := git(ctx, []byte(name+"\n"), "-C", g.dir, "cat-file", "--batch")
	if err != nil {
		return gitBlob{}, false, err
	}
	header, content, _ := bytes.Cut(out, []byte("\n"))
	fields := strings.Fields(string(header)) // SHA TYPE SIZE, or NAME missing
	if len(fields) != 3 || fields[1] == "tree" {
		return gitBlob{}, false, nil
	}
	size, err := strconv.Atoi(fields[2])
	if err != nil || size > len(content) {
		return gitBlob{}, false, fmt.Errorf("git cat-file said %q", header)
	}
	return gitBlob{sha: fields[0], content: content[:size]}, true, nil
}

// git runs git with nothing of the user's configuration.
func git(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "git", args...) //#nosec G204 -- arguments are ours
	command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, gitEnvironment...)
	command.Stdin = bytes.NewReader(stdin)
	var problem strings.Builder
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, problem.String())
	}
	return out, nil
}

// gitEnvironment keeps the configuration of the user and the machine out.
var gitEnvironment = []string{
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_CONFIG_GLOBAL=" + os.DevNull,
	"HOME=" + os.DevNull,
}
