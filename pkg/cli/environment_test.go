package cli

import (
	"slices"
	"testing"
	"time"
)

func TestTheExecutorGetsAnEnvironmentOfItsOwn(t *testing.T) {
	a := &app{timeout: 30 * time.Second, pluginEnv: []string{"EXTRA", "MORE=2", "ABSENT", "AWS_WEB_IDENTITY_TOKEN_FILE=/t"}, env: map[string]string{
		"PATH": "/bin", "HOME": "/root", "SHELL": "sh", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "hush",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN": "hush", "AWS_PROFILE": "lab", "EXECUTOR_TIMEOUT": "1h", "EXECUTOR_POLICY": "/other", "EXTRA": "1",
	}}
	got, err := a.pluginEnvironment("/policy.yaml")
	want := []string{"AWS_PROFILE=lab", "AWS_WEB_IDENTITY_TOKEN_FILE=/t", "EXECUTOR_POLICY=/policy.yaml", "EXECUTOR_TIMEOUT=25s", "EXTRA=1", "MORE=2", "PATH=/bin"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "aws_session_token=x", "AWS_ACCESS_KEY_ID", "DB_PASSWORD", "", "A B=1"} {
		a.pluginEnv = []string{secret}
		if _, err := a.pluginEnvironment(""); err == nil {
			t.Errorf("%q was passed on", secret)
		}
	}
}
