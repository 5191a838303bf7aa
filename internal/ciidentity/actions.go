package ciidentity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	actionsTimeout = 20 * time.Second
	// maxActionsAnswer is far above the size of an ID token with every claim.
	maxActionsAnswer = 1 << 20
)

// fromActions asks GitHub Actions' token service, which the runner names in the
// environment of jobs that have the permission id-token: write.
//
// https://docs.github.com/en/actions/reference/security/oidc
func fromActions(env Environment) (*Source, error) {
	address, bearer := env("ACTIONS_ID_TOKEN_REQUEST_URL"), env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return nil, errors.New("GitHub Actions: this job may not ask for an ID token; give it the permission id-token: write (a pull request from a fork cannot have it)")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return nil, errors.New("GitHub Actions: ACTIONS_ID_TOKEN_REQUEST_URL is not an https URL, so it is not the runner's")
	}
	return &Source{Name: "GitHub Actions", get: func(ctx context.Context, audience string) (string, error) {
		query := u.Query()
		query.Set("audience", audience)
		asked := *u
		asked.RawQuery = query.Encode()
		return requestActionsToken(ctx, asked.String(), bearer)
	}}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func requestActionsToken(ctx context.Context, address, bearer string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, actionsTimeout)
	defer cancel()
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL cannot be asked")
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := actionsClient().Do(req)
	if err != nil {
		return "", withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("its token service answered %s", resp.Status)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxActionsAnswer)).Decode(&answer); err != nil {
		return "", errors.New("its token service did not answer JSON")
	}
	return answer.Value, nil
}

// actionsClient tries again as the service is known to fail now and then, and
// follows no redirect: the bearer token is for the service alone.
func actionsClient() *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.RetryMax = 3
	client.RetryWaitMin = 200 * time.Millisecond
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	client.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// withoutURL takes the address out of an error: it names the run.
func withoutURL(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}
