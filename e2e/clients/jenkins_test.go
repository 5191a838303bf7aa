package clients

import (
	"regexp"
	"strings"
	"testing"
)

// jenkinsClaims are those of a build of a job, by the default templates of the
// OpenID Connect Provider plugin.
//
// https://github.com/jenkinsci/oidc-provider-plugin#configuring-claims
func jenkinsClaims(jobURL string) map[string]any {
	return map[string]any{"sub": jobURL, "aud": []string{"vault"}, "build_number": 7, "nbf": nil, "jti": nil}
}

var (
	shellStep  = regexp.MustCompile(`(?s)sh '''(.*?)'''`)
	credential = regexp.MustCompile(`credentialsId: 'vault-id-token', variable: '(\w+)'`)
)

// runJenkins runs the one shell step of a Jenkinsfile as Jenkins does: with -x.
func (w *world) runJenkins(file string, claims map[string]any) outcome {
	w.t.Helper()
	step, bound := shellStep.FindStringSubmatch(file), credential.FindStringSubmatch(file)
	if step == nil || bound == nil || strings.Contains(step[1], `\`) {
		w.t.Fatal("the Jenkinsfile has no shell step with the ID token, or one that Groovy changes")
	}
	return w.run(job{shell: []string{"sh", "-xec"}, script: step[1], env: map[string]string{bound[1]: w.issuer.Sign(claims)}})
}

func TestJenkins(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/jenkins.md")
	const jobs = "https://jenkins.example/job/acme"
	const main = jobs + "/job/api/job/main/"
	w.setUp(p, map[string]string{
		"JENKINS_ISSUER": w.issuer.URL, "JENKINS_JOBS": jobs, "JENKINS_JOB": main, "ORGANIZATION": "acme",
	})
	file := p.block("file", "Jenkinsfile")
	w.wantClone(w.runJenkins(file, jenkinsClaims(main)))
	w.wantRefused(w.runJenkins(file, jenkinsClaims(jobs+"/job/api/job/PR-7/")), p.block("error", "pull-request"))
	w.wantRefused(w.runJenkins(file, jenkinsClaims("https://jenkins.example/job/mallory/")), "claim \"sub\" does not match")
	w.wantRefused(w.runJenkins(file, with(jenkinsClaims(main), map[string]any{"aud": []string{}})), p.block("error", "audience"))
	if loud := w.runJenkins(strings.Replace(file, "set +x", "", 1), jenkinsClaims(main)); !gitHubToken.MatchString(loud.output) {
		t.Error("without set +x the log does not show the token: docs/ci/jenkins.md says that it does")
	}
}
