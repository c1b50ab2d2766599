package awsiam

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/iampolicy"
)

// statement is a policy that allows one action.
func statement(name string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:` + name +
		`","Resource":"*","Condition":{"StringLike":{"a":"% +&"}}}}`
}

func readerAt(url string, key ec2sim.Credential) *Reader {
	return New(aws.Config{Region: ec2sim.LabRegion, BaseEndpoint: &url,
		RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey,
			key.SessionToken)})
}

// lab is a stand-in with one role, and a reader with an operator's key.
func lab(t *testing.T, r ec2sim.Role, options ...ec2sim.Option) (*Reader, *ec2sim.Sim) {
	t.Helper()
	sim := ec2sim.New(append([]ec2sim.Option{ec2sim.Lab(),
		ec2sim.WithRole(ec2sim.LabRoleCredential.AccessKeyID, r)}, options...)...)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return readerAt(server.URL, ec2sim.LabCredential), sim
}

func router() ec2sim.Role {
	return ec2sim.Role{Name: "router", Profile: "router-profile", Boundary: statement("B"),
		Inline: map[string]string{"i1": statement("I1"), "i2": statement("I2"), "i3": statement("I3")},
		Attached: map[string]string{"a1": statement("A1"), "a2": statement("A2"),
			"a3": statement("A3"), "a4": statement("A4"), "a5": statement("A5")}}
}

// TestARoleIsReadToTheEnd: every page of both lists, the version in force, the boundary.
func TestARoleIsReadToTheEnd(t *testing.T) {
	r, _ := lab(t, router())
	name, err := r.RoleOf(t.Context(), "router-profile")
	if err != nil || name != "router" {
		t.Fatalf("%q, %v", name, err)
	}
	got, err := r.Role(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	want := iampolicy.Granted{Role: "the role router", Boundary: &iampolicy.Source{
		Name: "arn:aws:iam::123456789012:policy/router-boundary", Text: statement("B")}}
	for _, n := range []string{"a1", "a2", "a3", "a4", "a5", "i1", "i2", "i3"} {
		want.Policies = append(want.Policies,
			iampolicy.Source{Name: n, Text: statement(strings.ToUpper(n))})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatMayNotBeReadIsNamed: each of the reading's permissions, taken away alone, leaves a gap
// that is told. None is a role with fewer policies.
func TestWhatMayNotBeReadIsNamed(t *testing.T) {
	for _, denied := range Permissions {
		t.Run(denied, func(t *testing.T) {
			r, sim := lab(t, router())
			allow := func(names []string) {
				t.Helper()
				text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["` +
					strings.Join(names, `","`) + `"],"Resource":"*"}}`
				if err := sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, text); err != nil {
					t.Fatal(err)
				}
			}
			allow(Permissions)
			if got, err := r.Role(t.Context(), "router"); err != nil || len(got.Unread) > 0 {
				t.Fatalf("with all of them: %v %v", got.Unread, err)
			}
			var others []string
			for _, p := range Permissions {
				if p != denied {
					others = append(others, p)
				}
			}
			allow(others)
			got, err := r.Role(t.Context(), "router")
			_, profileErr := r.RoleOf(t.Context(), "router-profile")
			gap := strings.Join(got.Unread, "\n")
			if denied == "iam:GetInstanceProfile" {
				gap = fmt.Sprint(profileErr)
			}
			if err != nil || !strings.Contains(gap, "IAM says AccessDenied") ||
				!strings.Contains(gap, denied) {
				t.Errorf("%v: %q", err, gap)
			}
		})
	}
}

func TestThereIsNoSuchRole(t *testing.T) {
	r, _ := lab(t, router())
	_, err := r.Role(t.Context(), "nobody")
	if err == nil || err.Error() != "there is no role nobody" {
		t.Errorf("%v", err)
	}
	if _, err := r.RoleOf(t.Context(), "nobody"); err == nil ||
		!strings.Contains(err.Error(), "NoSuchEntity") {
		t.Errorf("%v", err)
	}
	r, _ = lab(t, ec2sim.Role{Name: "bare"})
	if got, err := r.Role(t.Context(), "bare"); err != nil || got.Boundary != nil ||
		len(got.Policies)+len(got.Unread) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAReaderCannotChange: nothing but Get and List leaves.
func TestAReaderCannotChange(t *testing.T) {
	left := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { left++ }))
	t.Cleanup(server.Close)
	r := readerAt(server.URL, ec2sim.LabCredential)
	_, put := r.api.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("r"),
		PolicyName: aws.String("p"), PolicyDocument: aws.String("{}")})
	_, attach := r.api.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{
		RoleName: aws.String("r"), PolicyArn: aws.String("arn:aws:iam::123456789012:policy/p")})
	for _, err := range []error{put, attach} {
		if !errors.Is(err, errNotRead) {
			t.Errorf("%v", err)
		}
	}
	if left > 0 {
		t.Errorf("%d requests left", left)
	}
}

// TestAListWithoutEndIsAnError: a marker that comes again is not followed for ever, and the list so
// far is not taken for the whole.
func TestAListWithoutEndIsAnError(t *testing.T) {
	for _, markers := range [][]string{{"a", "a"}, {"a", "b", "a"}, {""}} {
		n := 0
		err := pages(func(*string) (bool, *string, error) {
			n++
			return true, &markers[n-1], nil
		})
		if err == nil || n != len(markers) {
			t.Errorf("%q: %v after %d", markers, err, n)
		}
	}
	if err := pages(func(*string) (bool, *string, error) { return false, nil, nil }); err != nil {
		t.Error(err)
	}
}

// TestAnAnswerThatLeavesOutTheDocument is no policy that allows nothing.
func TestAnAnswerThatLeavesOutTheDocument(t *testing.T) {
	for text, want := range map[string]string{"%7B%7D": "{}", "a+b%20": "a+b "} {
		if got, err := document(&text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%zz"} {
		if got, err := document(&text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}
