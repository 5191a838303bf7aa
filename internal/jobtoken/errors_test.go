package jobtoken

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
)

func TestErrorsAreSentencesOfOneLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer api.ResponseError
		want   string
	}{
		"the engine's":       {api.ResponseError{StatusCode: 403, Errors: []string{"1 error occurred:\n\t* role \"a\": no\n\n"}}, `role "a": no`},
		"Vault's policies":   {api.ResponseError{StatusCode: 403, Errors: []string{"1 error occurred:\n\t* permission denied\n\n"}}, "Vault's policies do not let this token use a/path; an administrator adds the path to a policy of the login role"},
		"a dead token":       {api.ResponseError{StatusCode: 403, Errors: []string{"2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"}}, "Vault does not know this Vault token: it has expired, or was revoked, or is another Vault's"},
		"two":                {api.ResponseError{StatusCode: 400, Errors: []string{"first\n::set-env name=x", "second"}}, "first; ::set-env name=x; second"},
		"a proxy's page":     {api.ResponseError{StatusCode: 504, RawError: true, Errors: []string{"<html>secret</html>"}}, "Vault answered Gateway Timeout, not as Vault does; is a proxy before it?"},
		"nothing there":      {api.ResponseError{StatusCode: 404}, "there is nothing at a/path"},
		"nothing to be said": {api.ResponseError{StatusCode: 503}, "Vault answered Service Unavailable for a/path"},
	} {
		err := asError(fmt.Errorf("wrapped: %w", &test.answer), "a/path")
		var failed *Error
		if !errors.As(err, &failed) || failed.Message != test.want || failed.Status != test.answer.StatusCode {
			t.Errorf("%s: %v; want %s", name, err, test.want)
		}
	}
}

func TestRefusedAndTemporaryExcludeEachOther(t *testing.T) {
	t.Parallel()
	for status, temporary := range map[int]bool{
		0: true, 400: false, 403: false, 404: false, 412: true, 424: true, 429: true, 500: true, 502: true, 503: true, 504: true,
	} {
		e := &Error{Status: status}
		if e.Temporary() != temporary || e.Refused() == temporary {
			t.Errorf("%d: temporary %v, refused %v", status, e.Temporary(), e.Refused())
		}
	}
}

// TestAMintIsRepeatedOnlyIfNoTokenCanBeLeft lists what may come of the request.
func TestAMintIsRepeatedOnlyIfNoTokenCanBeLeft(t *testing.T) {
	t.Parallel()
	broken := func(cause error) error {
		return &url.Error{Op: "Put", URL: "http://vault", Err: &net.OpError{Op: "dial", Err: cause}}
	}
	for name, test := range map[string]struct {
		status      int
		contentType string
		err         error
		want        bool
	}{
		"granted":                  {status: 200, contentType: "application/json", want: false},
		"refused":                  {status: 403, contentType: "application/json", want: false},
		"made and not handed over": {status: 424, contentType: "application/json", want: false},
		"rate limited":             {status: 429, contentType: "application/json", want: true},
		"a standby catches up":     {status: 412, contentType: "application/json", want: true},
		"GitHub is down":           {status: 502, contentType: "application/json", want: true},
		"a proxy gives up":         {status: 504, contentType: "text/html", want: false},
		"a proxy says nothing":     {status: 502, contentType: "", want: false},
		"nobody listens":           {err: broken(os.NewSyscallError("connect", syscall.ECONNREFUSED)), want: true},
		"the connection breaks":    {err: broken(os.NewSyscallError("read", syscall.ECONNRESET)), want: false},
		"the connection ends":      {err: broken(net.ErrClosed), want: false},
		"no answer comes":          {err: broken(context.DeadlineExceeded), want: false},
	} {
		var resp *http.Response
		if test.err == nil {
			resp = &http.Response{StatusCode: test.status, Header: http.Header{"Content-Type": {test.contentType}}}
		}
		if got, _ := retryMint(t.Context(), resp, test.err); got != test.want {
			t.Errorf("%s: repeated %v, want %v", name, got, test.want)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if again, err := retryMint(gone, nil, broken(syscall.ECONNREFUSED)); again || err == nil {
		t.Error("repeated after the caller has gone")
	}
}

func TestOnlyWhatIsAskedForIsSent(t *testing.T) {
	t.Parallel()
	if got := (Request{}).Fields(); len(got) != 0 {
		t.Errorf("nothing is asked for, and %v is sent", got)
	}
	asked := Request{Repositories: []string{"api"}, RepositoryIDs: []int64{7}, Permissions: map[string]string{"contents": "read"}, TTL: 90 * time.Second}
	want := map[string]any{"repositories": []string{"api"}, "repository_ids": []int64{7}, "permissions": map[string]string{"contents": "read"}, "ttl": int64(90)}
	if diff := cmp.Diff(want, asked.Fields()); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsNoTokenIsNotHandedOn: it could end a line of the files and protocols
// that tokens are written to.
func TestWhatIsNoTokenIsNotHandedOn(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]map[string]any{
		"a line's end": {"token": "ghs_1\nPATH=/evil", "expires_at": "2030-01-02T15:04:05Z"},
		"none":         {"expires_at": "2030-01-02T15:04:05Z"},
		"no end":       {"token": "ghs_1"},
		"another form": {"token": []any{"ghs_1"}, "expires_at": "2030-01-02T15:04:05Z"},
	} {
		_, err := new(Session).lease(&api.Secret{LeaseID: "l", Data: data}, time.Now())
		if err == nil || strings.Contains(err.Error(), "ghs_1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
