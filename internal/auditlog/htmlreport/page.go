package htmlreport

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html"
	"strings"
)

//go:embed page.html
var page string

//go:embed style.css
var style string

//go:embed *.js
var scripts embed.FS

// parts are the files of the page's script, which share one scope: each may use
// what those before it define.
var parts = []string{
	"dom.js", "format.js", "data.js", "requests.js", "timeline.js", "grid.js", "detail.js",
	"widgets.js", "overview.js", "browse.js", "subjects.js", "findings.js", "main.js",
}

// script is the page's script: the parts in one.
func script() string {
	var joined strings.Builder
	joined.WriteString("'use strict';\n")
	for _, name := range parts {
		part, err := scripts.ReadFile(name)
		if err != nil {
			panic(err) // parts names what is not embedded
		}
		joined.Write(part)
	}
	return joined.String()
}

// policy lets the page run its own script and style, and reach nothing at all. With
// trusted types even a mistake in the script cannot turn text into markup.
func policy() string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + integrity(script()),
		"style-src " + integrity(style),
		"base-uri 'none'",
		"form-action 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}

// integrity is how a policy names an inline script or style: by its hash.
func integrity(content string) string {
	hash := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
}

// header is the page down to its data.
func header(title string) string {
	return strings.NewReplacer(
		"{{policy}}", html.EscapeString(policy()),
		"{{title}}", html.EscapeString(title),
		"{{style}}", style,
	).Replace(page)
}

// footer is the page from its data on.
func footer() string {
	return "<script type=\"module\">" + script() + "</script>\n</body>\n</html>\n"
}
