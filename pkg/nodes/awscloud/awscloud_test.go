package awscloud

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

// pointAt has the SDK's environment lead to a stand-in, and nowhere else.
func pointAt(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range os.Environ() {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	for _, line := range append(lines, "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true") {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

// cloud is one of instances, on a stand-in of its own.
func cloud(t *testing.T) (*ec2sim.Sim, *Cloud) {
	t.Helper()
	s := ec2sim.New(ec2sim.WithCredentials(ec2sim.LabCredential))
	srv, err := ec2sim.Start(s, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	pointAt(t, srv.Env()...)
	c, err := Open(t.Context(), nodes.Manager{Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessAmbient}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// suspects are nodes with the cloud's ids.
func suspects(ids []string) []nodes.Suspect {
	all := make([]nodes.Suspect, len(ids))
	for i, id := range ids {
		all[i].Source.ID = id
	}
	return all
}

// Asked for many ids at once, EC2 refuses all where one is not there. Each is answered for all the
// same, but for what is no id.
func TestAskTellsPresentFromAbsent(t *testing.T) {
	s, c := cloud(t)
	s.Region("eu-west-1").AddFleet(ec2sim.Instance{}, 3)
	var present []string
	for _, i := range s.State().Regions["eu-west-1"].Instances {
		present = append(present, i.ID)
	}
	absent := []string{"i-0000000000000bad1", "i-0000000000000bad2"}
	for _, tt := range []struct {
		name            string
		ids, found, not []string
		calls           int
	}{
		{"all there", present, present, nil, 1},
		{"none there", absent, nil, absent, 1},
		{"some there", slices.Concat(present, absent), present, absent, 2},
		{"one not there", absent[:1], nil, absent[:1], 1},
		{"no id", []string{"i-what"}, nil, nil, 1},
		{"no id among others", slices.Concat([]string{"i-what"}, absent, present), present, absent, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := c.Ask(t.Context(), scan.Region{Name: "eu-west-1"}, suspects(tt.ids))
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, x := range a.Found {
				found = append(found, x.ID)
			}
			slices.Sort(found)
			slices.Sort(a.NotFound)
			if diff := cmp.Diff([][]string{tt.found, tt.not}, [][]string{found, a.NotFound}); diff != "" {
				t.Error(diff)
			}
			if a.Calls != tt.calls {
				t.Errorf("it took %d calls, want %d", a.Calls, tt.calls)
			}
		})
	}
	f := ec2sim.Fail("DescribeInstances", "UnauthorizedOperation").Times(ec2sim.Always)
	if err := s.Inject(f); err != nil {
		t.Fatal(err)
	}
	a, err := c.Ask(t.Context(), scan.Region{Name: "eu-west-1"}, suspects(absent))
	var failure *scan.Failure
	if !errors.As(err, &failure) || failure.Verdict != nodes.Denied || len(a.NotFound) != 0 {
		t.Errorf("refused, it says %v: %+v", err, a)
	}
}

// Where the refusal names none of the ids, they are asked for in halves, down to one.
func TestIdsThatARefusalDoesNotName(t *testing.T) {
	ids := []string{"i-1", "i-2", "i-3"}
	unnamed := refusedIDs{notFound: true, text: "Something is not there."}
	if _, absent, halves := unnamed.split(ids); absent != nil ||
		!cmp.Equal(halves, [][]string{{"i-1", "i-2"}, {"i-3"}}) {
		t.Errorf("%v are absent, to ask are %v", absent, halves)
	}
	if _, absent, halves := unnamed.split(ids[:1]); !cmp.Equal(absent, ids[:1]) || halves != nil {
		t.Errorf("%v are absent, to ask are %v", absent, halves)
	}
	// One id that begins another is not that one.
	first := refusedIDs{notFound: true, text: "The instance ID 'i-12' does not exist"}
	rest, absent, _ := first.split([]string{"i-1", "i-12"})
	if !cmp.Equal(rest, []string{"i-1"}) || !cmp.Equal(absent, []string{"i-12"}) {
		t.Errorf("%v are absent, to ask is %v", absent, rest)
	}
}

// vault answers as Secrets Manager and Systems Manager do.
func vault(t *testing.T, secret string) *[]string {
	t.Helper()
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in map[string]any
		_ = json.Unmarshal(body, &in)
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		region := strings.Split(scope, "/")[2]
		target := r.Header.Get("X-Amz-Target")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch {
		case target == "secretsmanager.GetSecretValue" && secret != "":
			asked = append(asked, region+" "+in["SecretId"].(string))
			_ = json.NewEncoder(w).Encode(map[string]any{"SecretString": secret})
		case target == "AmazonSSM.GetParameter" && secret != "" && in["WithDecryption"] == true:
			asked = append(asked, region+" "+in["Name"].(string))
			_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]any{"Value": secret}})
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"ResourceNotFoundException","message":"can't find it"}`)
		}
	}))
	t.Cleanup(srv.Close)
	pointAt(t, "AWS_ENDPOINT_URL="+srv.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIAX",
		"AWS_SECRET_ACCESS_KEY=x")
	return &asked
}

const (
	secretARN    = "arn:aws:secretsmanager:eu-west-3:111122223333:secret:keys-Ab12Cd"
	parameterARN = "arn:aws:ssm:eu-west-2:111122223333:parameter/nodes/keys"
)

// keysOf retrieves the keys that a reference leads to.
func keysOf(t *testing.T, ref nodes.SecretRef) (aws.Credentials, error) {
	t.Helper()
	c, err := Open(t.Context(), nodes.Manager{Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessSecret, Secret: ref}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c.cfg.Credentials.Retrieve(t.Context())
}

// A reference is asked for in its own region, and each time that credentials are needed.
func TestKeysOfReferences(t *testing.T) {
	asked := vault(t,
		`{"AWS_ACCESS_KEY_ID":"AKIATHEIRS","AWS_SECRET_ACCESS_KEY":"s","sessionToken":"t"}`)
	for _, ref := range []nodes.SecretRef{secretARN, parameterARN} {
		got, err := keysOf(t, ref)
		if err != nil || got.AccessKeyID != "AKIATHEIRS" || got.SecretAccessKey != "s" ||
			got.SessionToken != "t" {
			t.Errorf("%s has %+v, %v", ref, got, err)
		}
	}
	want := []string{"eu-west-3 " + secretARN, "eu-west-2 " + parameterARN}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Error(diff)
	}
}

// What can't be read or used is told, with nothing of the secret.
func TestKeysThatCannotBe(t *testing.T) {
	for _, tt := range []struct{ name, secret, want string }{
		{"not there", "", "ResourceNotFoundException"},
		{"no object", "hunter2-hunter2", "is no object in JSON"},
		{"half", `{"accessKeyId":"hunter2-hunter2"}`, "has no accessKeyId or no secretAccessKey"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vault(t, tt.secret)
			for _, ref := range []nodes.SecretRef{secretARN, parameterARN} {
				_, err := keysOf(t, ref)
				var f *scan.Failure
				if !errors.As(err, &f) || f.Verdict != nodes.Unreachable || f.Again ||
					!strings.Contains(f.Reason, tt.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: %v", ref, err)
				}
			}
		})
	}
}

// Where there are no credentials at all, or none that can be read, the reason says so. Nothing is
// called, and so nobody denied anything.
func TestNoCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	s, _ := cloud(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	for want, access := range map[string]nodes.Access{
		"credentials":        {Kind: nodes.AccessAmbient},
		"shared config":      {Kind: nodes.AccessProfile, Profile: "none"},
		file + ": no such f": {Kind: nodes.AccessSecret, Secret: nodes.SecretRef("file:" + file)},
	} {
		c, err := Open(t.Context(), nodes.Manager{Type: nodes.ManagerEC2, Access: access}, Options{})
		if err == nil {
			_, err = c.Account(t.Context())
		}
		var f *scan.Failure
		if !errors.As(err, &f) || f.Verdict != nodes.Unreachable || !strings.Contains(f.Reason, want) {
			t.Errorf("want %s, it says %v", want, err)
		}
	}
	if calls := s.Calls(); len(calls) != 0 {
		t.Errorf("it called %s", calls[0].Operation)
	}
}
