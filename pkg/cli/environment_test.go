package cli

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheExecutorGetsAnEnvironmentOfItsOwn(t *testing.T) {
	a := &app{
		timeout:   30 * time.Second,
		pluginEnv: []string{"EXTRA", "MORE=2", "ABSENT", "AWS_WEB_IDENTITY_TOKEN_FILE=/t"},
		env: map[string]string{
			"PATH": "/bin", "HOME": "/root", "SHELL": "sh", "AWS_ACCESS_KEY_ID": "AKIA",
			"AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "hush",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN": "hush", "AWS_PROFILE": "lab", "EXECUTOR_TIMEOUT": "1h",
			"EXECUTOR_POLICY": "/held/by/loadPolicy", "EXTRA": "1", "AWS_REGION": "eu-west-1",
		},
	}
	got, err := a.pluginEnvironment("/policy.yaml")
	want := []string{
		"AWS_PROFILE=lab",
		"AWS_WEB_IDENTITY_TOKEN_FILE=/t",
		"EXECUTOR_POLICY=/policy.yaml",
		"EXECUTOR_TIMEOUT=25s",
		"EXTRA=1",
		"MORE=2",
		"PATH=/bin",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, plain := range []string{"X=http://h/a@b", "X=http://h?a@b", "X=http://h#a@b", "X=a@b",
		"X=a@b://c"} {
		a.pluginEnv = []string{plain}
		if _, err := a.pluginEnvironment(""); err != nil {
			t.Errorf("%q: %v", plain, err)
		}
	}
	for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "aws_session_token=x",
		"AWS_ACCESS_KEY_ID", "DB_PASSWORD", "", "A B=1",
		"EXECUTOR_POLICY=/lax", "AWS_ENDPOINT_URL=http://u:hush@h", "PROXY=https://hush@h:1/x",
		"X=http://u:p%ss@h", "X=http://:@h?q"} {
		a.pluginEnv = []string{secret}
		if _, err := a.pluginEnvironment(""); err == nil {
			t.Errorf("%q was passed on", secret)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: the secret is told: %v", secret, err)
		}
	}
}

// TestStateOfAUnit: systemd names the directories that a unit has, and comes before the home.
func TestStateOfAUnit(t *testing.T) {
	for given, want := range map[string]string{
		"":                       "/h/ann/.local/state/actionctl",
		"/var/lib/lab":           "/var/lib/lab",
		"/var/lib/a:/lib/b":      "/var/lib/a",
		"/v/ledger:/v/actionctl": "/v/actionctl",
	} {
		a := &app{env: map[string]string{"HOME": "/h/ann", "STATE_DIRECTORY": given}}
		if got, err := a.stateDir(); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
}

// TestTheExecutorFindsATableByItsName: with the name of a table goes the region that it is in.
func TestTheExecutorFindsATableByItsName(t *testing.T) {
	a := &app{timeout: 30 * time.Second, env: map[string]string{
		"EXECUTOR_STATE_TABLE": "state", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1",
	}}
	got, err := a.pluginEnvironment("")
	want := []string{"AWS_REGION=eu-west-1", "EXECUTOR_STATE_TABLE=state", "EXECUTOR_TIMEOUT=25s"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
