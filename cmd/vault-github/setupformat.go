package main

import (
	"fmt"
	"io"
	"strings"
)

func (s *setup) show(p plan) error {
	switch s.format.value {
	case "json":
		return writeJSON(s.t.out, p)
	case "table":
		return p.writeTable(s.t.out, s.c.paletteFor(s.t.out))
	case "hcl":
		return nil // the policies are the same whatever is there
	}
	_, err := io.WriteString(s.t.out, p.commands())
	return err
}

func writeHCL(w io.Writer, policies []aclPolicy) error {
	for _, policy := range policies {
		if err := printf(w, "# vault policy write %s\n%s\n", policy.name, policy.text); err != nil {
			return err
		}
	}
	return nil
}

func (p plan) writeTable(w io.Writer, colours palette) error {
	rows := &table{}
	add := func(what, name string, lines ...string) {
		mark := fmt.Sprintf("%-7s", what)
		switch what {
		case planCreate, planUpdate:
			mark = colours.good(mark)
		case planRefuse, planUnknown:
			mark = colours.bad(mark)
		default:
			mark = colours.faint(mark)
		}
		for _, line := range lines {
			rows.add(mark, name, oneLine(line))
			mark, name = colours.faint("       "), ""
		}
	}
	for _, ch := range p.Tuning {
		add(ch.What, p.Mount+"/ "+ch.Key, ch.tell()...)
	}
	for _, ch := range p.Policies {
		add(ch.What, "policy "+ch.Name, ch.tell()...)
	}
	return rows.write(w)
}

// tell says what the change is, a line for each part of it.
func (ch tuneChange) tell() []string {
	switch ch.What {
	case planSame:
		return []string{"= " + strings.Join(ch.Has, ", ")}
	case planUnknown:
		return []string{"! " + ch.Error}
	}
	return []string{"+ " + strings.Join(ch.Adds, ", ")}
}

func (ch policyChange) tell() []string {
	var lines []string
	switch ch.What {
	case planSame:
		return []string{"= the same already"}
	case planUnknown:
		return []string{"! " + ch.Error}
	case planRefuse:
		lines = append(lines, "! it is there and says something else: --overwrite to change it")
	}
	for _, line := range ch.Removed {
		lines = append(lines, "- "+line)
	}
	for _, line := range ch.Added {
		lines = append(lines, "+ "+line)
	}
	return lines
}

// commands is a script for sh. It holds no command, only a comment, where it
// cannot be told that the command takes nothing away.
func (p plan) commands() string {
	if p.isDone() {
		return "# Nothing to do: " + p.Mount + "/ is tuned, and its policies are there.\n"
	}
	script := &strings.Builder{}
	script.WriteString("# What vault-github setup --apply would do, as commands for sh.\nset -eu\n")
	p.tuneCommand(script)
	for _, ch := range p.Policies {
		if ch.What != planSame {
			ch.command(script)
		}
	}
	return script.String()
}

func (p plan) tuneCommand(script *strings.Builder) {
	var flags []string
	unknown := ""
	for _, ch := range p.Tuning {
		if ch.What == planSame {
			continue
		}
		fmt.Fprintf(script, "\n# %s: %s", ch.Key, ch.why)
		for _, value := range ch.Wants {
			flags = append(flags, "-"+ch.flag+"="+shellQuote(value))
		}
		if ch.What == planUnknown {
			unknown = ch.Error
		}
	}
	if len(flags) == 0 {
		return
	}
	command := "vault secrets tune \\\n  " + strings.Join(flags, " \\\n  ") + " \\\n  " + p.Mount + "\n"
	if unknown != "" {
		command = asComment("Not known is what the lists hold already, which this would replace: " + unknown + "\n" + command)
	}
	script.WriteString("\n" + command)
}

func (ch policyChange) command(script *strings.Builder) {
	command := fmt.Sprintf("vault policy write %s - <<'EOF'\n%sEOF\n", ch.Name, ch.Policy)
	switch ch.What {
	case planRefuse:
		command = asComment(strings.Join(ch.tell(), "\n"))
	case planUnknown:
		command = asComment("Not known is whether the policy is there and says something else: " + ch.Error + "\n" + command)
	case planUpdate:
		command = asComment(strings.Join(ch.tell(), "\n")) + command
	}
	fmt.Fprintf(script, "\n# policy %s\n%s", ch.Name, command)
}

// asComment makes every line a comment, whatever the text holds.
func asComment(text string) string {
	var comment strings.Builder
	for line := range strings.Lines(text) {
		comment.WriteString(strings.TrimRight("# "+oneLine(line), " ") + "\n")
	}
	return comment.String()
}
