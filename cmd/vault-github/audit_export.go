package main

import (
	"encoding/json"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/flat"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

const auditExportLong = `Write every request for a token as a row of a table, for logs that are larger
than one machine, or for a data warehouse. docs/audit-sql.md has the columns, and
queries for DuckDB, ClickHouse and BigQuery that give the answers of report and
findings.

With --uses the uses in GitHub's export (--github-log) go into a second table,
which joins on hashed_token.`

const auditExportExamples = `  vault-github audit export --format parquet -o requests.parquet logs/
  vault-github audit export --format parquet -o requests.parquet --github-log github.json --uses uses.parquet audit.log
  vault-github audit export --format ndjson audit.log | gzip > requests.ndjson.gz`

var exportFormats = []string{"parquet", "ndjson"}

func newAuditExport(t *terminal, _ *connection) *cobra.Command {
	var (
		logs       auditLogs
		path, uses string
		format     = formatFlag{value: "ndjson", allowed: exportFormats}
	)
	cmd := &cobra.Command{
		Use:     "export LOG...",
		Short:   "Write the requests as a table, for SQL",
		Long:    auditExportLong,
		Example: auditExportExamples,
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case uses != "" && len(logs.github) == 0:
				return usagef("--uses writes what is in GitHub's export; give it with --github-log")
			case format.value == "parquet" && path == "" && isTerminal(t.out):
				return usagef("--format parquet is not for a terminal: name a file with --output")
			}
			if err := logs.parse(cmd, time.Now()); err != nil {
				return err
			}
			out, err := openOutput(t, path)
			if err != nil {
				return err
			}
			return out.done(export(cmd, t, &logs, args, format.value, out, uses))
		},
	}
	logs.addFlags(cmd.Flags())
	logs.addRoleFlag(cmd.Flags())
	cmd.Flags().Var(&format, "format", "`FORMAT`: one of "+strings.Join(exportFormats, ", "))
	cmd.Flags().StringVarP(&path, "output", "o", "", "`FILE` to write, complete or not at all; standard output if none")
	cmd.Flags().StringVar(&uses, "uses", "", "`FILE` to write the uses in GitHub's export to")
	return cmd
}

// export writes the requests, and the uses if there is a path for them.
func export(cmd *cobra.Command, t *terminal, logs *auditLogs, paths []string, format string, out io.Writer, usesPath string) error {
	requests := newRows[flat.Request](format, out)
	if usesPath == "" {
		return exportRequests(cmd, t, logs, paths, requests)
	}
	file, err := openOutput(t, usesPath)
	if err != nil {
		return err
	}
	uses := newRows[flat.Use](format, file)
	logs.eachUse = func(u auditlog.Use) error { return uses.write(flat.UseOf(u)) }
	err = exportRequests(cmd, t, logs, paths, requests)
	if err == nil {
		err = uses.end()
	}
	return file.done(err)
}

func exportRequests(cmd *cobra.Command, t *terminal, logs *auditLogs, paths []string, requests rows[flat.Request]) error {
	run, err := logs.read(cmd.Context(), t, paths, func(a *ledger.Account) error {
		return requests.write(flat.RequestOf(a))
	}, func(ledger.Stray) error { return nil })
	if err != nil {
		return err
	}
	run.tell(t)
	return requests.end()
}

// rows writes a table of an export.
type rows[T any] interface {
	write(row T) error
	end() error
}

func newRows[T any](format string, w io.Writer) rows[T] {
	if format == "parquet" {
		return &parquetRows[T]{w: parquet.NewGenericWriter[T](w, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("vault-github", version, ""))}
	}
	return &ndjsonRows[T]{plainEncoder(w)}
}

type ndjsonRows[T any] struct{ encoder *json.Encoder }

func (r *ndjsonRows[T]) write(row T) error { return r.encoder.Encode(row) }
func (r *ndjsonRows[T]) end() error        { return nil }

// rowGroup is how many rows are held before they are written: some tens of MB.
const rowGroup = 20_000

type parquetRows[T any] struct {
	w    *parquet.GenericWriter[T]
	held int
}

func (r *parquetRows[T]) write(row T) error {
	if _, err := r.w.Write([]T{row}); err != nil {
		return err
	}
	if r.held++; r.held < rowGroup {
		return nil
	}
	r.held = 0
	return r.w.Flush()
}

func (r *parquetRows[T]) end() error { return r.w.Close() }

// tap gives every element to a function on its way.
func tap[T any](seq iter.Seq2[T, error], each func(T) error) iter.Seq2[T, error] {
	if each == nil {
		return seq
	}
	return func(yield func(T, error) bool) {
		for value, err := range seq {
			if err == nil {
				err = each(value)
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}
