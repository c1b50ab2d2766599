//go:build conformance

package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// identities are who may come, and what becomes of them. Policies are of the actions they allow.
var identities = []struct {
	name string
	// allow are the EC2 actions of the identity's policy.
	allow string
	// before changes what the identity has, in shell.
	before string
	do     string
	want   string
	// moto is what moto deviates to; empty is the same.
	moto    string
	changes string
}{
	{name: "all it needs", allow: `"ec2:Describe*","ec2:AssignPrivateIpAddresses"`,
		do:   "execute assign-secondary-ip nic-a 10.88.60.9",
		want: "succeeded changed=true", changes: "+nic-a 10.88.60.9"},
	{name: "may only read, and does", allow: `"ec2:Describe*"`,
		do: "dry-run assign-secondary-ip nic-a 10.88.60.9", want: "succeeded"},
	{name: "may only read, and assigns", allow: `"ec2:Describe*"`,
		do: "execute assign-secondary-ip nic-a 10.88.60.9",
		want: "failed authorization awsErrorCode=UnauthorizedOperation " +
			"permissionHint=ec2:AssignPrivateIpAddresses retryable=false",
		moto: "failed authorization awsErrorCode=AccessDenied " +
			"permissionHint=ec2:AssignPrivateIpAddresses"},
	{name: "may only read, and unassigns", allow: `"ec2:Describe*"`,
		do: "execute unassign-secondary-ip nic-b 10.88.60.100",
		want: "failed authorization awsErrorCode=UnauthorizedOperation " +
			"permissionHint=ec2:UnassignPrivateIpAddresses",
		moto: "failed authorization awsErrorCode=AccessDenied " +
			"permissionHint=ec2:UnassignPrivateIpAddresses"},
	{name: "may only read, and forwards", allow: `"ec2:Describe*"`,
		do: "execute ensure-forwarding-enabled nic-a",
		want: "failed authorization awsErrorCode=UnauthorizedOperation " +
			"permissionHint=ec2:ModifyNetworkInterfaceAttribute",
		moto: "failed authorization awsErrorCode=AccessDenied " +
			"permissionHint=ec2:ModifyNetworkInterfaceAttribute"},
	{name: "may not even read", allow: `"ec2:AssignPrivateIpAddresses"`,
		do: "dry-run assign-secondary-ip nic-a 10.88.60.9",
		want: "failed authorization awsErrorCode=UnauthorizedOperation " +
			"permissionHint=ec2:DescribeNetworkInterfaces",
		moto: "failed authorization awsErrorCode=AccessDenied " +
			"permissionHint=ec2:DescribeNetworkInterfaces"},
	{name: "a key that nobody has", allow: `"ec2:*"`,
		before: "export AWS_ACCESS_KEY_ID=AKIANOBODYSKEY000000;",
		do:     "execute assign-secondary-ip nic-a 10.88.60.9",
		want:   "failed authentication awsErrorCode=AuthFailure retryable=false"},
	{name: "a secret that is another's", allow: `"ec2:*"`,
		before: "export AWS_SECRET_ACCESS_KEY=another;",
		do:     "execute ensure-forwarding-enabled nic-a",
		want:   "failed authentication awsErrorCode=AuthFailure retryable=false"},
	{name: "a token that is not its own", allow: `"ec2:*"`,
		before: "export AWS_SESSION_TOKEN=another;",
		do:     "dry-run ensure-forwarding-enabled nic-a",
		want:   "failed authentication awsErrorCode=AuthFailure"},
	{name: "no credentials", allow: `"ec2:*"`, before: "unset AWS_ACCESS_KEY_ID " +
		"AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_SERVICE_ENDPOINT; export AWS_EC2_METADATA_DISABLED=true;",
		do:   "execute assign-secondary-ip nic-a 10.88.60.9",
		want: "failed authentication retryable=false"},
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	places := []*bench{newBench(t, startMoto), newBench(t, startSim)}
	for _, c := range identities {
		t.Run(c.name, func(t *testing.T) {
			told.scenario(moto, "ec2sim")
			for _, b := range places {
				w, before := b.lab(t)
				a := w.actions(t)
				key, done := b.identity(t,
					`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[`+c.allow+
						`],"Resource":"*"}]}`)
				a.before = key + c.before
				got := a.run(t, c.do)
				done()
				step{do: c.do, want: c.want, changes: c.changes, moto: motoOnly(c.moto, c.changes)}.judge(t, w,
					record{Do: c.do, Told: a.tell(got), Says: a.says(got), Changes: b.left(t).since(before)})
			}
		})
	}
}

func motoOnly(want, changes string) *outcome {
	if want == "" {
		return nil
	}
	return &outcome{want, changes}
}

// identity makes the place judge who calls by a policy: by a new key at moto, by the key that it
// printed at the stand-in. It returns the shell that takes the key, and how to end the judging.
func (p *place) identity(t *testing.T, policy string) (shell string, done func()) {
	t.Helper()
	if p.name != moto {
		p.control(t, http.MethodPut, "/_sim/policies",
			`{"accessKeyId":"`+ec2sim.LabCredential.AccessKeyID+`","policies":[`+policy+`]}`, nil)
		// The judge has the same key, and is to see everything again.
		return "", func() {
			p.control(t, http.MethodPut, "/_sim/policies",
				`{"accessKeyId":"`+ec2sim.LabCredential.AccessKeyID+`","policies":[]}`, nil)
		}
	}
	quoted, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	user := strings.NewReplacer("/", ".", " ", "-", ",", ".", "'", ".").Replace(t.Name())
	var key struct{ AccessKeyId, SecretAccessKey string }
	for _, call := range []string{
		`create_user {"UserName":"` + user + `"}`,
		`put_user_policy {"UserName":"` + user + `","PolicyName":"p","PolicyDocument":` +
			string(quoted) + `}`,
		`create_access_key {"UserName":"` + user +
			`"} | AccessKey.{AccessKeyId:AccessKeyId,SecretAccessKey:SecretAccessKey}`,
	} {
		q, err := parseCall(call)
		if err != nil {
			t.Fatal(err)
		}
		q.As = map[string]any{"service": "iam"}
		v := p.judge.ask(t, q)
		if v.OK == nil {
			t.Fatalf("%s: %s", call, v)
		}
		if strings.HasPrefix(call, "create_access_key") {
			if err := json.Unmarshal(v.OK, &key); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.control(t, http.MethodPost, "/moto-api/reset-auth", "0", nil)
	return "export AWS_ACCESS_KEY_ID=" + key.AccessKeyId + " AWS_SECRET_ACCESS_KEY='" +
			key.SecretAccessKey + "';",
		func() { p.control(t, http.MethodPost, "/moto-api/reset-auth", "inf", nil) }
}
