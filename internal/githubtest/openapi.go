package githubtest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// description is GitHub's OpenAPI description of its App endpoints; see
// openapi/README.md.
//
//go:embed openapi/github-app.ghec.json
var description []byte

// githubSchema loads the description once for all servers of a process.
var githubSchema = sync.OnceValues(func() (*openapi3.T, error) {
	document, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, err
	}
	return document, correctAccountOfListedInstallations(document)
})

// correctAccountOfListedInstallations mends the one schema that no answer of
// GitHub's can meet, its own example included: the account of an item of
// GET /app/installations is "all of" a user and an enterprise. Everywhere else
// it is any of the two.
func correctAccountOfListedInstallations(document *openapi3.T) error {
	listed := document.Paths.Find("/app/installations").Get.Responses.Status(http.StatusOK)
	account := listed.Value.Content["application/json"].Schema.Value.Items.Value.Properties["account"].Value
	if len(account.AllOf) != 2 {
		return errors.New("GitHub has changed the account of GET /app/installations: see whether it needs correcting still")
	}
	account.AllOf, account.AnyOf = nil, account.AllOf
	return nil
}

// appRoute returns the request's endpoint in the description, false if it is
// none of the App endpoints.
func (s *Server) appRoute(r *request) (*openapi3filter.RequestValidationInput, bool) {
	if s.schema == nil {
		return nil, false
	}
	method, path, _ := strings.Cut(r.pattern, " ")
	item := s.schema.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil, false
	}
	input := &openapi3filter.RequestValidationInput{
		Request:    r.Request,
		PathParams: map[string]string{},
		Route: &routers.Route{
			Spec: s.schema, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method),
		},
		Options: &openapi3filter.Options{SkipSettingDefaults: true, IncludeResponseStatus: true},
	}
	for _, parameter := range input.Route.Operation.Parameters {
		if parameter.Value.In == openapi3.ParameterInPath {
			input.PathParams[parameter.Value.Name] = r.PathValue(parameter.Value.Name)
		}
	}
	return input, true
}

// checkRequest holds a request to the description.
func (s *Server) checkRequest(r *request) {
	input, found := s.appRoute(r)
	if !found {
		return
	}
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		s.options.violation(fmt.Errorf("request %s: %w", r.pattern, brief(err)))
	}
	r.Body = io.NopCloser(bytes.NewReader(r.body)) // the check has read it
}

// checkAnswer holds an answer to the description.
func (s *Server) checkAnswer(r *request, status int, header http.Header, body []byte) {
	input, found := s.appRoute(r)
	if !found {
		return
	}
	var err error
	if status >= http.StatusBadRequest && input.Route.Operation.Responses.Status(status) == nil {
		err = s.checkUnlistedError(body)
	} else {
		answer := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: status, Header: header, Options: input.Options,
		}
		err = openapi3filter.ValidateResponse(r.Context(), answer.SetBodyBytes(body))
	}
	if err != nil {
		s.options.violation(fmt.Errorf("answer %d to %s: %w", status, r.pattern, brief(err)))
	}
}

// checkUnlistedError holds an error to GitHub's common form where the
// description does not list its status: it has no 401 for GET /app, no 404 for
// the installation of an organization.
func (s *Server) checkUnlistedError(body []byte) error {
	var decoded any
	if err := json.Unmarshal(body, &decoded); err != nil {
		return err
	}
	return s.schema.Components.Schemas["basic-error"].Value.VisitJSON(decoded)
}

// brief leaves out of an error the schema and the value, which may be megabytes.
func brief(err error) error {
	var violation *openapi3.SchemaError
	if errors.As(err, &violation) {
		return fmt.Errorf("/%s: %s", strings.Join(violation.JSONPointer(), "/"), violation.Reason)
	}
	return err
}
