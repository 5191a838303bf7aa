package githubapp

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// largeAnswer is as long as GitHub's for 500 repositories, each with a hundred
// members.
func largeAnswer() string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"token":"ghs_%s","expires_at":%q,"permissions":{"contents":"read"},"repository_selection":"selected","repositories":[`,
		strings.Repeat("x", 516), time.Now().Add(time.Hour).Format(time.RFC3339))
	for i := range 500 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"repository-%03d"`, 1000+i, i)
		for j := range 100 {
			fmt.Fprintf(&b, `,"a_url_%02d":"https://api.github.com/repos/acme/api/%02d"`, j, j)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return b.String()
}

func TestALargeAnswerIsReadWhole(t *testing.T) {
	t.Parallel()
	var a tokenAnswer
	if err := a.read(newAnswerBody(strings.NewReader(largeAnswer()))); err != nil {
		t.Fatal(err)
	}
	if len(a.repositories) != 500 || a.repositories[499] != (Repository{ID: 1499, Name: "repository-499"}) || a.permissions["contents"] != "read" {
		t.Errorf("%d repositories, the last %+v; permissions %v", len(a.repositories), a.repositories[499], a.permissions)
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	large := largeAnswer()
	for name, body := range map[string]string{
		"500 repositories": large,
		"one repository":   large[:strings.Index(large, "},{")] + "}]}",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var a tokenAnswer
				if err := a.read(newAnswerBody(strings.NewReader(body))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
