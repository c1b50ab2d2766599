package awsec2

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	gocmp "github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// queried is one whole answer of EC2 to an operation.
func queried(operation, members string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<` + operation + `Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">` +
		`<requestId>r-1</requestId>` + members + `</` + operation + `Response>` + "\n"
}

const (
	twoTags = `<tagSet><item><key>a</key><value>b &amp; c</value></item>` +
		`<item><key>owner/x</key><value/></item></tagSet>`
	twoAddresses = `<addressesSet><item><publicIp>198.51.100.7</publicIp>` +
		`<allocationId>eipalloc-1</allocationId><domain>vpc</domain><instanceId>i-1</instanceId>` +
		`<associationId>eipassoc-1</associationId><networkInterfaceId>eni-1</networkInterfaceId>` +
		`<networkInterfaceOwnerId>123456789012</networkInterfaceOwnerId>` +
		`<privateIpAddress>10.0.0.7</privateIpAddress>` + twoTags +
		`<publicIpv4Pool>amazon</publicIpv4Pool></item><item><publicIp>198.51.100.8</publicIp>` +
		`<allocationId>eipalloc-2</allocationId><publicIpv4Pool>ipv4pool-ec2-1</publicIpv4Pool>` +
		`</item></addressesSet>`
	oneInstance = `<reservationSet><item><ownerId>123456789012</ownerId><instancesSet><item>` +
		`<instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState>` +
		`<instanceType>m5.large</instanceType><launchTime>2026-02-03T04:05:06.789Z</launchTime>` +
		`<placement><availabilityZone>eu-west-1a</availabilityZone></placement>` +
		`<vpcId>vpc-1</vpcId><rootDeviceType>ebs</rootDeviceType>` +
		`<instanceLifecycle>spot</instanceLifecycle>` +
		twoTags + `<hibernationOptions><configured>true</configured></hibernationOptions>` +
		`<operator><managed>true</managed><principal>x</principal></operator><networkInterfaceSet>` +
		`<item><networkInterfaceId>eni-2</networkInterfaceId><vpcId>vpc-1</vpcId>` +
		`<interfaceType>efa</interfaceType><operator><managed>true</managed></operator>` +
		`<attachment><deviceIndex>1</deviceIndex><networkCardIndex>1</networkCardIndex>` +
		`<status>attached</status></attachment></item>` +
		`<item><networkInterfaceId>eni-3</networkInterfaceId><attachment><status>detached</status>` +
		`</attachment></item>` +
		`<item><networkInterfaceId>eni-1</networkInterfaceId><vpcId>vpc-1</vpcId>` +
		`<attachment><deviceIndex>0</deviceIndex><status>attaching</status></attachment>` +
		`<groupSet><item><groupId>sg-2</groupId></item><item><groupId>sg-1</groupId></item></groupSet>` +
		`<association><publicIp>198.51.100.9</publicIp><ipOwnerId>amazon</ipOwnerId></association>` +
		`<privateIpAddressesSet><item><privateIpAddress>10.0.0.8</privateIpAddress>` +
		`<primary>false</primary><association><publicIp>198.51.100.7</publicIp>` +
		`<ipOwnerId>123456789012</ipOwnerId></association></item>` +
		`<item><privateIpAddress>10.0.0.7</privateIpAddress><primary>true</primary><association>` +
		`<publicIp>198.51.100.9</publicIp><ipOwnerId>amazon</ipOwnerId></association></item>` +
		`</privateIpAddressesSet></item></networkInterfaceSet></item></instancesSet></item>` +
		`</reservationSet>`
)

// membersOf are what a good answer to an operation has.
var membersOf = map[string]string{
	"DescribeAddresses": twoAddresses, "DescribeInstances": oneInstance,
	"AllocateAddress":     `<publicIp>198.51.100.7</publicIp><allocationId>eipalloc-1</allocationId>`,
	"AssociateAddress":    `<return>true</return><associationId>eipassoc-1</associationId>`,
	"DisassociateAddress": `<return>true</return>`, "ReleaseAddress": `<return>true</return>`,
	"StartInstances": `<instancesSet/>`, "StopInstances": `<instancesSet/>`,
}

// answersWell answers each operation with a good answer.
func answersWell(w http.ResponseWriter, r *http.Request) {
	operation := r.PostForm.Get("Action")
	w.Header().Set("X-Amzn-Requestid", "REQUESTOFTHETEST")
	if operation == "GetCallerIdentity" {
		_, _ = io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult>`+
			`<Arn>arn:aws:iam::123456789012:user/a</Arn><Account>123456789012</Account>`+
			`</GetCallerIdentityResult></GetCallerIdentityResponse>`)
		return
	}
	_, _ = io.WriteString(w, queried(operation, membersOf[operation]))
}

// sdkAddress is an Elastic IP as the SDK reads it.
func sdkAddress(a types.Address) ec2model.Address {
	return ec2model.Address{
		AllocationID: aws.ToString(a.AllocationId), PublicIP: aws.ToString(a.PublicIp),
		AssociationID: aws.ToString(a.AssociationId), InterfaceID: aws.ToString(a.NetworkInterfaceId),
		InstanceID: aws.ToString(a.InstanceId), PrivateIP: aws.ToString(a.PrivateIpAddress),
		Pool: cmp.Or(aws.ToString(a.PublicIpv4Pool), ec2model.AmazonPool),
		Tags: tagsOf(a.Tags),
	}
}

// sdkInstance is an instance as the SDK reads it.
func sdkInstance(i types.Instance) ec2model.Instance {
	m := ec2model.Instance{
		ID: aws.ToString(i.InstanceId), VPCID: aws.ToString(i.VpcId), State: string(i.State.Name),
		Tags: map[string]string{},
		Type: string(i.InstanceType), Launched: aws.ToTime(i.LaunchTime),
		RootDevice: string(i.RootDeviceType), Lifecycle: string(i.InstanceLifecycle),
		Hibernates: i.HibernationOptions != nil && aws.ToBool(i.HibernationOptions.Configured),
		Managed:    i.Operator != nil && aws.ToBool(i.Operator.Managed),
	}
	if i.Placement != nil {
		m.Zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	for _, t := range i.Tags {
		m.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for position, n := range i.NetworkInterfaces {
		if n.Attachment != nil && n.Attachment.Status == types.AttachmentStatusDetached {
			continue
		}
		one := sdkInterface(n)
		one.Position = position
		m.Interfaces = append(m.Interfaces, one)
		if a := n.Association; a != nil && aws.ToString(a.IpOwnerId) == ownedByAmazon {
			m.LostAddress = aws.ToString(a.PublicIp)
		}
	}
	slices.SortStableFunc(m.Interfaces, func(a, b ec2model.InstanceInterface) int {
		return cmp.Or(cmp.Compare(a.Card, b.Card), cmp.Compare(a.Index, b.Index), cmp.Compare(a.ID, b.ID))
	})
	return m
}

func sdkInterface(n types.InstanceNetworkInterface) ec2model.InstanceInterface {
	m := ec2model.InstanceInterface{
		ID: aws.ToString(n.NetworkInterfaceId), VPCID: aws.ToString(n.VpcId),
		Type:    aws.ToString(n.InterfaceType),
		Managed: n.Operator != nil && aws.ToBool(n.Operator.Managed),
	}
	if n.Attachment != nil {
		m.Card, m.Index = int(aws.ToInt32(n.Attachment.NetworkCardIndex)),
			int(aws.ToInt32(n.Attachment.DeviceIndex))
	}
	for _, g := range n.Groups {
		m.Groups = append(m.Groups, aws.ToString(g.GroupId))
	}
	slices.Sort(m.Groups)
	for _, a := range n.PrivateIpAddresses {
		one := ec2model.InstanceAddress{Private: aws.ToString(a.PrivateIpAddress)}
		if by := a.Association; by != nil {
			one.Public = aws.ToString(by.PublicIp)
			one.Elastic = aws.ToString(by.IpOwnerId) != ownedByAmazon
		}
		if aws.ToBool(a.Primary) {
			m.Addresses = slices.Insert(m.Addresses, 0, one)
		} else {
			m.Addresses = append(m.Addresses, one)
		}
	}
	return m
}

// aQuery is one use of an operation: ours, and the SDK's.
type aQuery struct{ ours, theirs func(context.Context) error }

// same fails where what is read is not what the SDK reads.
func same(t *testing.T, what string, theirs, ours any) {
	t.Helper()
	if diff := gocmp.Diff(theirs, ours); diff != "" {
		t.Errorf("%s (-SDK +ours):\n%s", what, diff)
	}
}

func addressQueries(t *testing.T, c *Connection, api *ec2.Client) map[string]aQuery {
	reader, writer := c.reader(), c.Writer().(*Writer)
	var ours []ec2model.Address
	judge := func(ctx context.Context, in *ec2.DescribeAddressesInput) error {
		out, err := api.DescribeAddresses(ctx, in)
		if err != nil {
			return err
		}
		for i := range ours {
			same(t, "an address", sdkAddress(out.Addresses[i]), ours[i])
		}
		return nil
	}
	return map[string]aQuery{
		"tagged addresses": {func(ctx context.Context) (err error) {
			ours, err = reader.DescribeTaggedAddresses(ctx, "own & er", "k/")
			if len(ours) != 2 {
				t.Errorf("it reads %d addresses", len(ours))
			}
			return err
		}, func(ctx context.Context) error {
			return judge(ctx, &ec2.DescribeAddressesInput{
				Filters: []types.Filter{filterOf("tag:own & er", "k/*")}})
		}},
		"the address of": {func(ctx context.Context) error {
			one, found, err := reader.DescribeAssociatedAddress(ctx, "eni-1", "10.0.0.7")
			if ours = []ec2model.Address{one}; !found {
				t.Error("it finds none")
			}
			return err
		}, func(ctx context.Context) error {
			return judge(ctx, &ec2.DescribeAddressesInput{Filters: []types.Filter{
				filterOf("network-interface-id", "eni-1"), filterOf("private-ip-address", "10.0.0.7")}})
		}},
		"an allocation": {func(ctx context.Context) error {
			// Two where one was asked for are no answer.
			if _, err := reader.DescribeAllocation(ctx, "eipalloc-1"); err == nil {
				t.Error("it takes the first of two")
			}
			ours = nil
			return nil
		}, func(ctx context.Context) error {
			return judge(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{"eipalloc-1"}})
		}},
		"to allocate": {func(ctx context.Context) error {
			id, err := writer.AllocateAddress(ctx, ec2model.NewAddress{Pool: "ipv4pool-ec2-1",
				Tags: map[string]string{"b": "2 & 3", "a": ""}})
			same(t, "the id", "eipalloc-1", id)
			return err
		}, func(ctx context.Context) error {
			_, err := api.AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc,
				PublicIpv4Pool: aws.String("ipv4pool-ec2-1"),
				TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeElasticIp,
					Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")},
						{Key: aws.String("b"), Value: aws.String("2 & 3")}}}}})
			return err
		}},
		"to associate": {func(ctx context.Context) error {
			id, err := writer.AssociateAddress(ctx, "eipalloc-1", "eni-1", "10.0.0.7")
			same(t, "the id", "eipassoc-1", id)
			return err
		}, func(ctx context.Context) error {
			_, err := api.AssociateAddress(ctx, &ec2.AssociateAddressInput{
				AllocationId: aws.String("eipalloc-1"), NetworkInterfaceId: aws.String("eni-1"),
				PrivateIpAddress: aws.String("10.0.0.7"), AllowReassociation: aws.Bool(false)})
			return err
		}},
		"to disassociate": {func(ctx context.Context) error {
			return writer.DisassociateAddress(ctx, "eipassoc-1")
		}, func(ctx context.Context) error {
			_, err := api.DisassociateAddress(ctx,
				&ec2.DisassociateAddressInput{AssociationId: aws.String("eipassoc-1")})
			return err
		}},
		"to release": {func(ctx context.Context) error {
			return writer.ReleaseAddress(ctx, "eipalloc-1")
		}, func(ctx context.Context) error {
			_, err := api.ReleaseAddress(ctx,
				&ec2.ReleaseAddressInput{AllocationId: aws.String("eipalloc-1")})
			return err
		}},
	}
}

func instanceQueries(t *testing.T, c *Connection, api *ec2.Client) map[string]aQuery {
	reader, writer := c.reader(), c.Writer().(*Writer)
	var ours ec2model.Instance
	judge := func(ctx context.Context, owner string, in *ec2.DescribeInstancesInput) error {
		in.IncludeManagedResources = aws.Bool(true)
		out, err := api.DescribeInstances(ctx, in)
		if err != nil {
			return err
		}
		want := sdkInstance(out.Reservations[0].Instances[0])
		want.OwnerID = owner
		same(t, "the instance", want, ours)
		return nil
	}
	ids := []string{"i-1"}
	return map[string]aQuery{
		"an instance": {func(ctx context.Context) (err error) {
			ours, err = reader.DescribeInstance(ctx, "i-1")
			return err
		}, func(ctx context.Context) error {
			return judge(ctx, "123456789012", &ec2.DescribeInstancesInput{InstanceIds: ids})
		}},
		"instances": {func(ctx context.Context) error {
			all, err := reader.FindInstances(ctx, "find it", ec2model.Filter{Name: "tag:a", Value: "*"},
				ec2model.Filter{Name: "vpc-id", Value: "vpc-*", Pattern: true})
			if err == nil {
				ours = all[0]
			}
			return err
		}, func(ctx context.Context) error {
			return judge(ctx, "", &ec2.DescribeInstancesInput{MaxResults: aws.Int32(1000),
				Filters: []types.Filter{filterOf("tag:a", `\*`), filterOf("vpc-id", "vpc-*")}})
		}},
		"to stop": {func(ctx context.Context) error { return writer.StopInstance(ctx, "i-1") },
			func(ctx context.Context) error {
				_, err := api.StopInstances(ctx,
					&ec2.StopInstancesInput{InstanceIds: ids, Force: aws.Bool(true)})
				return err
			}},
		"to shut down": {func(ctx context.Context) error { return writer.ShutDownInstance(ctx, "i-1") },
			func(ctx context.Context) error {
				_, err := api.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids})
				return err
			}},
		"to start": {func(ctx context.Context) error { return writer.StartInstance(ctx, "i-1") },
			func(ctx context.Context) error {
				_, err := api.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids})
				return err
			}},
	}
}

func identityQueries(t *testing.T, c *Connection) map[string]aQuery {
	var ours ec2model.Identity
	return map[string]aQuery{"who this is": {func(ctx context.Context) (err error) {
		ours, err = c.reader().CallerIdentity(ctx)
		return err
	}, func(ctx context.Context) error {
		out, err := sts.NewFromConfig(c.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return err
		}
		same(t, "the identity",
			ec2model.Identity{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn)}, ours)
		return nil
	}}}
}

// TestQueriesAreTheSDKs: what is sent is what the SDK's client sends, signed for the same service,
// and of the answer both read the same.
func TestQueriesAreTheSDKs(t *testing.T) {
	var sent []url.Values
	var scopes []string
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, maps.Clone(r.PostForm))
		if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" ||
			r.Method != http.MethodPost || r.URL.Path != "/" {
			t.Errorf("%s %s of %q", r.Method, r.URL, got)
		}
		// The service that it is signed for, and the headers that the signature is over.
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
		scope, _, _ = strings.Cut(scope, ", Signature")
		scopes = append(scopes, scope+" compressed by "+r.Header.Get("Accept-Encoding"))
		answersWell(w, r)
	})
	api, asked := ec2.NewFromConfig(c.cfg), map[string]bool{}
	all := addressQueries(t, c, api)
	maps.Copy(all, instanceQueries(t, c, api))
	maps.Copy(all, identityQueries(t, c))
	for name, query := range all {
		sent, scopes = nil, nil
		if err := errors.Join(query.ours(t.Context()), query.theirs(t.Context())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(sent) != 2 || scopes[0] != scopes[1] {
			t.Fatalf("%s: %d requests, %q", name, len(sent), scopes)
		}
		same(t, name, sent[1], sent[0])
		asked[sent[0].Get("Action")] = true
	}
	for _, o := range ec2Query.operations {
		if !asked[o.name] {
			t.Errorf("nobody judges %s", o.name)
		}
	}
}

// TestHostileAnswersToQueries: what is not the operation's whole answer is none. A question is
// asked again, and nothing of the first answer is left. A change is sent once, and it is told that
// nobody knows.
func TestHostileAnswersToQueries(t *testing.T) {
	good := queried("DescribeAddresses", twoAddresses)
	for name, answer := range map[string]http.HandlerFunc{
		"an empty 200":        says(200, ""),
		"a 204":               says(204, ""),
		"a page":              says(200, "<html>log in</html>"),
		"half":                says(200, good[:len(good)-9]),
		"another operation's": says(200, queried("DescribeTags", "")),
		"a refusal before it": says(200, queryRefusal("IncorrectState", "no", "")+
			queried("DescribeAddresses", "")+queried("AllocateAddress", "")),
		"other letters": says(200, strings.Replace(good, "UTF-8", "ISO-8859-1", 1)),
		"compressed and cut short": func(w http.ResponseWriter, r *http.Request) {
			whole := httptest.NewRecorder()
			compressed(answersWell)(whole, r)
			maps.Copy(w.Header(), whole.Header())
			_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()-9])
		},
		"broken at its end":   says(200, strings.Replace(good, "</addressesSet>", "</other>", 1)),
		"JSON":                says(200, "{}"),
		"hung up":             hangsUp,
		"a 500":               says(500, ""),
		"a 500 of AWS":        says(500, queryRefusal("InternalError", "oh", "")),
		"a proxy's 403":       says(403, "<html>forbidden</html>"),
		"a refusal of nobody": says(400, "<Response/>"),
	} {
		c, requests := answering(t, first(answer, says(200, good)))
		got, err := c.reader().DescribeTaggedAddresses(t.Context(), "a", "b")
		if err != nil || len(got) != 2 || got[0].PublicIP != "198.51.100.7" || requests.Load() != 2 {
			t.Errorf("%s: after %d requests %+v, %v", name, requests.Load(), got, err)
		}
		c, requests = answering(t, first(answer, says(200, queried("AllocateAddress",
			membersOf["AllocateAddress"]))))
		_, err = c.Writer().(*Writer).AllocateAddress(t.Context(),
			ec2model.NewAddress{Pool: ec2model.AmazonPool, Tags: map[string]string{"a": "b"}})
		var unknown *action.Unknown
		if !errors.As(err, &unknown) || requests.Load() != 1 {
			t.Errorf("%s, to a change: after %d requests %v", name, requests.Load(), err)
		}
	}
	// An answer that does not name what was made is none either.
	c, requests := answering(t, says(200, queried("AssociateAddress", "<return>true</return>")))
	_, err := c.Writer().(*Writer).AssociateAddress(t.Context(), "eipalloc-1", "eni-1", "10.0.0.7")
	var unknown *action.Unknown
	if !errors.As(err, &unknown) || requests.Load() != 1 {
		t.Errorf("without an id: after %d requests %v", requests.Load(), err)
	}
}

// compressed compresses an answer for who asks for it.
func compressed(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		plain := httptest.NewRecorder()
		answer(plain, r)
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(plain.Code)
		packed := gzip.NewWriter(w)
		_, _ = packed.Write(plain.Body.Bytes())
		_ = packed.Close()
	}
}

// TestCompressedAnswersToQueries: they are read as others are, refusals too.
func TestCompressedAnswersToQueries(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, _ := answering(t, compressed(answersWell))
	found, err := c.reader().FindInstances(ctx, "find it")
	if err != nil || len(found) != 1 || found[0].ID != "i-1" {
		t.Errorf("it reads %+v, %v", found, err)
	}
	c, _ = answering(t, compressed(says(400, queryRefusal("IncorrectInstanceState", "no", "r-1"))))
	err = c.Writer().(*Writer).StopInstance(ctx, "i-1")
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Conflict ||
		f.Facts[protocol.FactRequestID] != "r-1" {
		t.Errorf("it is refused by %v", err)
	}
}

// TestAClockIsComparedOnce: where this machine's clock is wrong, the first call is refused and sent
// again. The later ones are signed by the service's clock.
func TestAClockIsComparedOnce(t *testing.T) {
	const ahead = time.Hour
	c, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(ahead)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || signed.Sub(now).Abs() > 5*time.Minute {
			fails(400, queryRefusal("RequestTimeTooSkewed", "of another time", ""))(w, r)
			return
		}
		answersWell(w, r)
	})
	for n := range int64(3) {
		if err := c.Writer().(*Writer).StartInstance(t.Context(), "i-1"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.reader().DescribeInstance(t.Context(), "i-1"); err != nil {
			t.Fatal(err)
		}
		if got, want := requests.Load(), 2*n+3; got != want {
			t.Errorf("%d requests after %d calls, want %d", got, 2*n+2, want)
		}
	}
}

// TestAStateThatIsLeftOut: an instance of which an answer does not tell the state is not read.
func TestAStateThatIsLeftOut(t *testing.T) {
	for _, state := range []string{"", "<instanceState/>", "<instanceState><code>16</code>" +
		"<name/></instanceState>"} {
		c, _ := answering(t, says(200, queried("DescribeInstances", "<reservationSet><item>"+
			"<instancesSet><item><instanceId>i-1</instanceId>"+state+
			"</item></instancesSet></item></reservationSet>")))
		one, err := c.reader().DescribeInstance(t.Context(), "i-1")
		all, errOfAll := c.reader().FindInstances(t.Context(), "find it")
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Unavailable || errOfAll == nil {
			t.Errorf("with %q: %+v, %v; %+v, %v", state, one, err, all, errOfAll)
		}
	}
}

// TestRefusedByBodyAlone: the id of a request is told where only the body of a refusal has it.
func TestRefusedByBodyAlone(t *testing.T) {
	c, _ := answering(t, fails(403, `<ErrorResponse>`+
		`<Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>it is over</Message></Error>`+
		`<RequestId>of-the-body</RequestId></ErrorResponse>`))
	_, err := c.reader().CallerIdentity(t.Context())
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Authentication ||
		f.Facts[protocol.FactRequestID] != "of-the-body" {
		t.Errorf("it is refused by %v, %v", err, f)
	}
}

// queryRefusal is an answer by which EC2 says no.
func queryRefusal(code, text, request string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>` + code +
		`</Code><Message>` + text + `</Message></Error></Errors><RequestID>` + request +
		`</RequestID></Response>`
}

// TestRefusedQueries: what EC2 refuses is told with its code, the id of the request and the
// permission, in a class that says what to do. A change that was throttled is sent again.
func TestRefusedQueries(t *testing.T) {
	for text, class := range map[string]protocol.FailureClass{
		"IncorrectInstanceState: it is terminated":                      protocol.Conflict,
		"Resource.AlreadyAssociated: resource eipalloc-1 is associated": protocol.Conflict,
		"InvalidParameterValue: no":                                     protocol.InvalidRequest,
		"AddressLimitExceeded: The maximum number":                      protocol.LimitExceeded,
		"UnauthorizedOperation: You are not; the-secret-of-the-test":    protocol.Authorization,
		"AuthFailure: AWS was not able to validate the credentials":     protocol.Authentication,
	} {
		code, message, _ := strings.Cut(text, ": ")
		c, requests := answering(t, fails(400, queryRefusal(code, message, "of-the-body")))
		err := c.Writer().(*Writer).ReleaseAddress(t.Context(), "eipalloc-1")
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != class || requests.Load() != 1 ||
			f.Facts[protocol.FactAWSErrorCode] != code ||
			f.Facts[protocol.FactRequestID] != "of-the-body" {
			t.Fatalf("%s: %d requests, %v, %v", text, requests.Load(), err, f)
		}
		if strings.Contains(f.Message, "the-secret-of-the-test") ||
			!strings.Contains(f.Message, "EC2 says "+code) {
			t.Errorf("it says %q", f.Message)
		}
		if class == protocol.Authorization &&
			f.Facts[protocol.FactPermissionHint] != "ec2:ReleaseAddress" {
			t.Errorf("the permission is %q", f.Facts[protocol.FactPermissionHint])
		}
	}
	throttled := says(503, queryRefusal("RequestLimitExceeded", "Request limit exceeded.", ""))
	c, requests := answering(t, first(throttled, answersWell))
	err := c.Writer().(*Writer).StartInstance(t.Context(), "i-1")
	if err != nil || requests.Load() != 2 {
		t.Errorf("throttled: %d requests, %v", requests.Load(), err)
	}
}

// TestRefusedWhateverTheRoot: a refusal is read whatever the root of its document is.
func TestRefusedWhateverTheRoot(t *testing.T) {
	other := strings.ReplaceAll(queryRefusal("AccessDenied", "no", "of-the-body"), "Response>",
		"ErrorResponse>")
	refused, _ := answering(t, fails(403, other))
	_, err := refused.reader().DescribeTaggedAddresses(t.Context(), "a", "b")
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Authorization ||
		f.Facts[protocol.FactAWSErrorCode] != "AccessDenied" {
		t.Errorf("with another root: %v", err)
	}
}

// TestUnknownThingsAreNamedTwice: a change that names what EC2 does not know is sent a second time,
// a pause later, and no third time.
func TestUnknownThingsAreNamedTwice(t *testing.T) {
	unknown := fails(400, queryRefusal("InvalidAllocationID.NotFound", "no such allocation", ""))
	for name, want := range map[string]struct {
		answer http.HandlerFunc
		failed bool
	}{"it is shown late": {first(unknown, answersWell), false}, "it is not there": {unknown, true}} {
		c, requests := answering(t, want.answer)
		w := c.Writer().(*Writer)
		w.absent.wait = func(context.Context, time.Duration) bool { return true }
		err := w.ReleaseAddress(t.Context(), "eipalloc-1")
		if (err != nil) != want.failed || requests.Load() != 2 || err != nil && !isNotFound(err) {
			t.Errorf("%s: %d requests, %v", name, requests.Load(), err)
		}
	}
}

// TestQueryReadsAreReads: a reader can ask all that is listed as reading, and nothing else. Each
// operation is listed as what its name says.
func TestQueryReadsAreReads(t *testing.T) {
	c, requests := answering(t, answersWell)
	for _, s := range []*service{&ec2Query, &identityQuery} {
		for _, o := range s.operations {
			named := strings.HasPrefix(o.name, "Describe") || strings.HasPrefix(o.name, "Get")
			if named != (o.does == reads) {
				t.Errorf("%s is listed as %d", o.name, o.does)
			}
			err := s.call(t.Context(), c.serviceReader, o.name, url.Values{}, &struct{}{})
			if errors.Is(err, errNotDescribe) == (o.does == reads) {
				t.Errorf("%s: %v", o.name, err)
			}
		}
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestNothingIsMadeWithoutTags: what nobody could find again is not asked for.
func TestNothingIsMadeWithoutTags(t *testing.T) {
	c, requests := answering(t, answersWell)
	_, err := c.Writer().(*Writer).AllocateAddress(t.Context(), ec2model.NewAddress{})
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Internal || requests.Load() != 0 {
		t.Errorf("%d requests, %v", requests.Load(), err)
	}
}
