package chaos

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/vault/api"
)

// phase is the time from one fault to the next.
type phase struct {
	fault
	// What became of requests for tokens that ended in this phase.
	served, refused, left atomic.Int64
	// late and window are tokens that nobody received: those revoked since, and
	// those that are live still. The ledger guards them.
	late, window int
	// recovery is from the fault's end until every node served again.
	recovery time.Duration
}

func (p *phase) String() string { return p.name }

func (p *phase) requests() int64 { return p.served.Load() + p.refused.Load() + p.left.Load() }

// printTable prints what came of each fault.
func printTable(w io.Writer, phases []*phase) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "fault\trequests\tserved\trefused\thung up\torphans revoked\torphans left\tseconds to recover\t")
	for _, p := range phases {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", p.name, p.requests(), p.served.Load(),
			p.refused.Load(), p.left.Load(), p.late, p.window, p.recovery.Seconds())
	}
	table.Flush()
}

// errorLog counts what errors the jobs got.
type errorLog struct {
	mu     sync.Mutex
	counts map[string]int
	// unclean are those that the fault does not explain.
	unclean []string
}

// add notes an error to a request that began in one phase and ended in another.
func (l *errorLog) add(what string, err error, phases ...*phase) {
	status, text := explain(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	line := fmt.Sprintf("%s: %s: %d %s", phases[len(phases)-1], what, status, text)
	l.counts[variable.ReplaceAllString(line, "…")]++
	if !slices.ContainsFunc(phases, func(p *phase) bool { return p.explains(what, status, text) }) {
		l.unclean = append(l.unclean, line)
	}
	if found := leaks.Find([]byte(text)); found != "" {
		l.unclean = append(l.unclean, fmt.Sprintf("%s: %s: the error holds %s", phases[len(phases)-1], what, found))
	}
}

// broken is the status of a connection that broke before an answer came.
const broken = 0

// explain returns the status and the text of an error.
func explain(err error) (status int, text string) {
	var answer *api.ResponseError
	if errors.As(err, &answer) {
		status, text = answer.StatusCode, strings.Join(answer.Errors, " ")
	} else {
		status, text = broken, err.Error()
	}
	return status, strings.Join(strings.Fields(text), " ")
}

// variable matches what differs between errors that are alike: addresses, ids and
// times.
var variable = regexp.MustCompile(`http://[^ "]+|127\.0\.0\.1:\d+|api-read/\w+|[0-9A-F]+(:[0-9A-F]+){4}|until [0-9-]+ .*?m=\S+|\d+(\.\d+)?m?s\b`)

// print lists the errors by fault.
func (l *errorLog) print(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range slices.Sorted(maps.Keys(l.counts)) {
		fmt.Fprintf(w, "%6d × %s\n", l.counts[text], text)
	}
}
