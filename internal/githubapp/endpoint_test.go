package githubapp

import (
	"net/url"
	"strings"
	"testing"
)

func TestBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want string
		err  string
	}{
		{"https://api.github.com", "https://api.github.com", ""},
		{"https://api.github.com/", "https://api.github.com", ""},
		{"https://ghe.example/api/v3", "https://ghe.example/api/v3", ""},
		{"https://ghe.example/api/v3/", "https://ghe.example/api/v3", ""},
		{"https://ghe.example:8443/api/v3//", "https://ghe.example:8443/api/v3", ""},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080", ""},
		{"http://localhost:8080/api/v3", "http://localhost:8080/api/v3", ""},
		{"http://[::1]:8080", "http://[::1]:8080", ""},
		{"http://ghe.example", "", "use https"},
		{"http://localhost.evil.example", "", "use https"},
		{"http://127.0.0.1.evil.example", "", "use https"},
		{"https://user:secret@ghe.example", "", "user information"},
		{"https://ghe.example?a=b", "", "query"},
		{"https://ghe.example?", "", "query"},
		{"https://ghe.example#a", "", "fragment"},
		{"https://ghe.example#", "", "fragment"},
		{"file:///etc/passwd", "", `"file"`},
		{"ftp://ghe.example", "", `"ftp"`},
		{"javascript:alert(1)", "", `"javascript"`},
		{"https:ghe.example", "", "no host"},
		{"https://", "", "no host"},
		{"ghe.example/api/v3", "", "scheme"},
		{"", "", "scheme"},
		{"https://ghe.example/\x00", "", "not a URL"},
		{"https://github.com", "", "https://api.github.com"},
	}
	for _, test := range tests {
		t.Run(test.raw, func(t *testing.T) {
			t.Parallel()
			got, err := ParseBaseURL(test.raw)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %q, error %v; want an error with %q", got, err, test.err)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Error("the error holds the password")
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{"https://ghe.example/api/v3/", "http://127.0.0.1", "https://a@b", "https://a?b#c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := ParseBaseURL(raw)
		if err != nil {
			return
		}
		if twice, err := ParseBaseURL(once); err != nil || twice != once {
			t.Errorf("%q became %q and that %q (%v)", raw, once, twice, err)
		}
		if u, err := url.Parse(once); err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q kept what it must not hold: %q", raw, once)
		}
	})
}

func TestEndpointRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		endpoint Endpoint
		err      string
	}{
		"CA that is no PEM":       {Endpoint{CAPEM: "no"}, "ca_pem: it holds no PEM certificate"},
		"proxy with other scheme": {Endpoint{ProxyURL: "socks5://p"}, `proxy_url: its scheme is "socks5", not http or https`},
		"proxy without host":      {Endpoint{ProxyURL: "http://"}, "proxy_url: it has no host"},
		"proxy that is no URL":    {Endpoint{ProxyURL: "http://u:secret@\x00"}, "proxy_url: it is not a URL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.endpoint.transport()
			if err == nil || err.Error() != test.err {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}
