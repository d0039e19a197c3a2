use wsanalyze::{capture::*, connection::*, pipeline::*, rules::*};
struct D(u64, bool);
impl Observer for D {
    fn connection(&mut self, c: Connection, _f: Vec<Finding>) {
        self.0 += 1;
        if self.1 {
            println!(
                "{} s{} {} -> {} {:?} status {:?} target {:?} offered {:?} accepted {:?} valid {:?}",
                c.first.packet.number(),
                c.tcp.stream,
                c.tcp.client,
                c.tcp.server,
                c.outcome,
                c.response.as_ref().map(|r| r.head.status),
                c.request.as_ref().map(|r| r.head.target.clone()),
                c.request.as_ref().map(|r| r
                    .extensions
                    .list
                    .iter()
                    .map(|e| e.name.clone())
                    .collect::<Vec<_>>()),
                c.response.as_ref().map(|r| r
                    .extensions
                    .list
                    .iter()
                    .map(|e| e.name.clone())
                    .collect::<Vec<_>>()),
                c.response.as_ref().and_then(|r| r.accept_valid)
            );
            for k in &c.closes {
                println!("   close {:?} {:?} {:?} p{}", k.from, k.code, k.reason, k.seen.packet.number());
            }
            println!(
                "   {:?} by {:?} sees {:?}/{:?}",
                c.ending.close,
                c.ending.by.map(|b| (b.0, b.1.packet.number(), c.ending.transport)),
                c.ending.sees.client.map(|a| a.code),
                c.ending.sees.server.map(|a| a.code)
            );
            for a in &c.anomalies {
                println!("   anomaly {:?} {:?} x{} p{}", a.kind, a.from, a.count, a.seen.packet.number());
            }
            if !c.quality.is_whole() {
                println!("   quality {:?}", c.quality);
            }
        }
    }
}
fn main() {
    let v = std::env::args().nth(1).unwrap() != "-q";
    let skip = if v { 1 } else { 2 };
    let readers = std::env::args().skip(skip).enumerate().map(|(i, p)| open(&p, i as u16).unwrap()).collect();
    let mut d = D(0, v);
    let s = analyze(Merged::new(readers), &mut d, &mut |_, _| {});
    println!("{:?}", s.totals);
    for c in s.captures {
        println!("{:?}", c.warnings);
    }
}
