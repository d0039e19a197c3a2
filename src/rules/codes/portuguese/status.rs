//! Status HTTP em resposta a um upgrade.

use super::Words;

const ANYONE: &str = "O servidor, ou um gateway antes dele.";
const GATEWAY: &str = "Um gateway; uma aplicação também pode enviá-lo.";
const EDGE: &str = "A Cloudflare.";

const ORIGIN_TLS_FIX: &str =
    "Verifique o TLS entre a Cloudflare e a origem: nomes, cadeia de certificados, versões.";

const fn redirect(name: &'static str) -> Words {
    Words {
        name,
        brief: "O servidor manda o cliente para outro lugar, e a maioria dos clientes WebSocket não vai.",
        description: "Navegadores nunca seguem o redirecionamento de um upgrade, e muitas bibliotecas também não.",
        when: "Uma regra manda de http para https, acrescenta uma barra, corrige o nome do host ou leva a uma página de login.",
        fix: "Conecte à URL `wss://` final, ou exclua o caminho do redirecionamento.",
        sender: ANYONE,
    }
}

const fn status(
    name: &'static str,
    sender: &'static str,
    brief: &'static str,
    description: &'static str,
    when: &'static str,
    fix: &'static str,
) -> Words {
    Words { name, brief, description, when, fix, sender }
}

/// Na ordem dos números.
pub(super) static STATUSES: &[((u16, u16), Words)] = &[
    (
        (101, 101),
        status(
            "troca de protocolos",
            ANYONE,
            "O servidor aceita o upgrade; o que vem depois na conexão são frames.",
            "O único sucesso em HTTP/1.1. O cliente ainda o confere: `Upgrade`, `Connection`, `Sec-WebSocket-Accept`, e se as extensões e o subprotocolo estão entre os que ofereceu. Se algo está errado, ele encerra o TCP sem um Close.",
            "No começo de todo WebSocket em HTTP/1.1. Os programas não o mostram.",
            "Nada. Se um cliente sai logo depois dele, compare seus campos com os da requisição.",
        ),
    ),
    (
        (200, 200),
        status(
            "OK",
            ANYONE,
            "O upgrade foi ignorado e uma página foi enviada; em HTTP/2 é sucesso.",
            "O HTTP permite que um servidor ignore um upgrade. Para o cliente, o WebSocket falhou. Em HTTP/2 e HTTP/3 não existe 101, e 200 é o que um CONNECT estendido recebe quando dá certo.",
            "O caminho não é um WebSocket, uma aplicação de página única responde a todos os caminhos, um cache respondeu, ou um proxy descartou `Upgrade` no caminho.",
            "Compare o caminho com as rotas do servidor, mantenha caches fora dele e faça todo gateway repassar `Upgrade` e `Connection`.",
        ),
    ),
    ((301, 301), redirect("movido permanentemente")),
    ((302, 302), redirect("encontrado")),
    ((303, 303), redirect("veja outro")),
    (
        (304, 304),
        status(
            "não modificado",
            ANYONE,
            "O upgrade foi tomado pela pergunta se uma página guardada ainda vale.",
            "Não é um redirecionamento: um cache ou um servidor de arquivos respondeu a um GET comum, e nada ali olhou para `Upgrade`.",
            "Há um cache no caminho, ou o caminho leva a arquivos estáticos, e a requisição traz `If-None-Match` ou `If-Modified-Since`.",
            "Mantenha caches fora do caminho, mande-o ao servidor que fala WebSocket e faça todo gateway repassar `Upgrade` e `Connection`.",
        ),
    ),
    ((307, 307), redirect("redirecionamento temporário")),
    ((308, 308), redirect("redirecionamento permanente")),
    (
        (400, 400),
        status(
            "requisição inválida",
            ANYONE,
            "Para quem respondeu, a requisição não está em ordem.",
            "Um campo do handshake falta ou está errado ali, mesmo que estivesse certo quando o cliente o enviou.",
            "Um proxy descartou ou alterou um campo, falta a chave, HTTP sem TLS chegou a uma porta HTTPS, ou um id de sessão pertence a outro servidor atrás do balanceador.",
            "Compare os campos da requisição nos dois lados de cada gateway. Para engine.io e socket.io, ligue as sessões fixas (sticky sessions).",
        ),
    ),
    (
        (401, 401),
        status(
            "não autenticado",
            ANYONE,
            "Faltam credenciais, ou estão erradas.",
            "O servidor quer autenticação antes do upgrade. Navegadores não podem definir `Authorization` para um WebSocket.",
            "Nenhum cookie ou token foi enviado, ou ele expirou.",
            "Envie credenciais com o upgrade: navegadores por cookie ou por um ticket na URL, outros clientes por `Authorization`.",
        ),
    ),
    (
        (403, 403),
        status(
            "proibido",
            ANYONE,
            "O lado do servidor entendeu e recusa.",
            "Várias recusas o compartilham: uma origem que não é permitida, falta de permissão, um firewall ou filtro de robôs, e um gateway que não permite upgrades.",
            "`Origin` não combina com o host ou com a lista de origens permitidas, uma aplicação fechou antes de aceitar, ou o Envoy está sem `upgrade_configs`: então responde com corpo vazio.",
            "Repasse o `Host` original, amplie a lista de origens permitidas, ou habilite upgrades no gateway.",
        ),
    ),
    (
        (404, 404),
        status(
            "não encontrado",
            ANYONE,
            "Não há nada neste caminho.",
            "O gateway ou a aplicação não tem rota para o caminho do upgrade.",
            "O caminho difere por uma barra ou um prefixo, um proxy o reescreve, ou o host virtual é outro.",
            "Compare o caminho nos dois lados de cada gateway com as rotas do servidor. Atenção à barra final.",
        ),
    ),
    (
        (405, 405),
        status(
            "método não permitido",
            ANYONE,
            "O método da requisição não é permitido neste caminho.",
            "Um handshake WebSocket em HTTP/1.1 é um GET.",
            "Uma sonda ou um cliente que não é WebSocket enviou POST ou CONNECT.",
            "Use uma biblioteca WebSocket para a requisição.",
        ),
    ),
    (
        (407, 407),
        status(
            "autenticação de proxy exigida",
            "Um proxy de saída.",
            "Um proxy de saída quer credenciais.",
            "O proxy entre cliente e servidor quer saber quem pede antes de abrir um caminho.",
            "O cliente está em uma rede cujo proxy exige login.",
            "Dê ao cliente as credenciais do proxy.",
        ),
    ),
    (
        (408, 408),
        status(
            "tempo da requisição esgotado",
            ANYONE,
            "A requisição não chegou inteira a tempo.",
            "O lado do servidor esperou pelo resto da requisição e desistiu.",
            "Um caminho lento ou interrompido desde o cliente, ou um cliente que envia a requisição em pedaços.",
            "Procure pacotes perdidos entre cliente e servidor, e envie a requisição de uma só vez.",
        ),
    ),
    (
        (421, 421),
        status(
            "requisição mal dirigida",
            ANYONE,
            "A requisição chegou a um servidor que não responde por este host.",
            "A conexão foi feita para outro nome de host que não o da requisição.",
            "Um cliente reusa uma conexão para outro host, ou um proxy envia no TLS um nome diferente do de `Host`.",
            "Faça uma conexão própria para este host, e use no proxy o mesmo nome no TLS e em `Host`.",
        ),
    ),
    (
        (426, 426),
        status(
            "upgrade exigido",
            ANYONE,
            "Quem respondeu fala WebSocket, e ninguém lhe pediu isso.",
            "A resposta a um GET comum em um endpoint WebSocket, ou a uma versão que o servidor não fala.",
            "O cliente pediu, e um proxy no caminho descartou `Upgrade` e `Connection`; ou alguém abriu a URL como página.",
            "Faça o proxy antes do servidor repassar `Upgrade` e `Connection` em HTTP/1.1.",
        ),
    ),
    (
        (429, 429),
        status(
            "requisições demais",
            ANYONE,
            "O cliente tentou vezes demais.",
            "Um limite de taxa na borda ou na aplicação.",
            "Clientes reconectam sem espera, muitos compartilham um endereço, ou uma cota acabou.",
            "Espere o que `Retry-After` diz, e reconecte com uma espera aleatória crescente.",
        ),
    ),
    (
        (431, 431),
        status(
            "campos da requisição grandes demais",
            ANYONE,
            "Os campos da requisição são longos demais.",
            "O lado do servidor tem um limite para o tamanho do cabeçalho de uma requisição.",
            "Cookies muitos ou grandes, ou um token na URL ou em `Sec-WebSocket-Protocol`.",
            "Diminua cookies e tokens, ou aumente o limite de quem respondeu.",
        ),
    ),
    (
        (499, 499),
        status(
            "requisição encerrada pelo cliente",
            "Em regra ninguém: gateways o escrevem em seus logs.",
            "O cliente desistiu antes que o gateway tivesse uma resposta para ele.",
            "Uma linha de log e quase nunca uma resposta: nginx, Caddy e Traefik o registram quando o cliente encerra a conexão primeiro.",
            "O cliente espera pelo handshake menos tempo do que o upstream precisa, ou o usuário saiu nesse meio-tempo.",
            "Descubra por que o upstream demora tanto. Dê ao gateway um limite mais curto que o do cliente, para que um 504 o conte.",
        ),
    ),
    (
        (500, 500),
        status(
            "erro interno do servidor",
            ANYONE,
            "A aplicação falhou enquanto tratava o upgrade.",
            "Uma exceção antes do 101.",
            "Um handler quebrou, ou um middleware não conhece upgrades.",
            "Leia o log do servidor naquele segundo.",
        ),
    ),
    (
        (501, 501),
        status(
            "não implementado",
            ANYONE,
            "Quem respondeu não conhece este método.",
            "Nada ali sabe tratar a requisição, qualquer que seja o caminho.",
            "Um CONNECT estendido de HTTP/2 chegou a um proxy que não o conhece, como o Varnish.",
            "Use HTTP/1.1 para o WebSocket neste trajeto, ou desvie-o do proxy.",
        ),
    ),
    (
        (502, 502),
        status(
            "gateway inválido",
            GATEWAY,
            "Um gateway não recebeu do upstream resposta válida ao upgrade.",
            "Falou o gateway, o defeito está atrás dele. É o que o código de fechamento 1014 diz depois do handshake; antes dele este status é a única forma.",
            "O upstream não está no ar ou escuta em outro lugar, cortou a conexão, um lado fala TLS e o outro não, ou a sua resposta não é HTTP válido.",
            "Verifique se o upstream escuta na porta e no esquema que o gateway usa, e leia o log de erros do gateway naquele segundo.",
        ),
    ),
    (
        (503, 503),
        status(
            "serviço indisponível",
            GATEWAY,
            "Ninguém está pronto para receber a conexão.",
            "Um gateway não tem upstream saudável, ou uma aplicação alivia a carga. O corpo muitas vezes mostra qual dos dois.",
            "Todos os upstreams falharam nas verificações de saúde, o upstream recusou a conexão (HAProxy e Apache httpd respondem assim), ou um limite de conexões foi atingido.",
            "Verifique a saúde do upstream como o gateway a vê: verificações, número de servidores, limites de conexões.",
        ),
    ),
    (
        (504, 504),
        status(
            "tempo do gateway esgotado",
            GATEWAY,
            "O upstream de um gateway não respondeu ao upgrade a tempo.",
            "O gateway esperou e desistiu. A requisição não tinha nada de errado.",
            "Pacotes para o upstream são descartados, o upstream aceitou a conexão e nunca respondeu, ou é lento demais.",
            "Descubra por que o upstream se cala: um firewall no meio, um programa bloqueado, nenhum handler para upgrades.",
        ),
    ),
    (
        (505, 505),
        status(
            "versão de HTTP não suportada",
            ANYONE,
            "A versão da requisição não permite upgrade.",
            "O WebSocket precisa de HTTP/1.1 ou mais novo.",
            "Um proxy refez a requisição em HTTP/1.0: o nginx antes da 1.29.7 fazia isso, a menos que fosse configurado de outro modo.",
            "Faça o proxy falar HTTP/1.1 com o upstream: no nginx, `proxy_http_version 1.1` com `Upgrade` e `Connection`.",
        ),
    ),
    (
        (520, 520),
        status(
            "o servidor web devolveu um erro desconhecido",
            EDGE,
            "A origem atrás da Cloudflare enviou uma resposta vazia ou desconhecida.",
            "A Cloudflare chegou à origem e não pôde usar o que voltou.",
            "A origem quebrou ou cortou a conexão, ou a sua resposta tem campos grandes demais.",
            "Leia o log da origem naquele segundo, e verifique se ela responde a upgrades sem a Cloudflare.",
        ),
    ),
    (
        (521, 521),
        status(
            "o servidor web está fora do ar",
            EDGE,
            "A origem atrás da Cloudflare recusou a conexão.",
            "O endereço da origem respondeu, e nenhum programa aceitou ou um firewall recusou.",
            "A origem não está no ar, ou o seu firewall bloqueia os endereços da Cloudflare.",
            "Inicie a origem na porta esperada, e deixe passar os endereços da Cloudflare no firewall.",
        ),
    ),
    (
        (522, 522),
        status(
            "tempo de conexão esgotado",
            EDGE,
            "A origem atrás da Cloudflare não completou a conexão TCP a tempo.",
            "Pacotes para a origem se perderam, ou ela estava ocupada demais para aceitar.",
            "Um firewall descarta pacotes, o endereço está errado, ou a origem está sobrecarregada.",
            "Verifique endereço, firewall e carga da origem.",
        ),
    ),
    (
        (523, 523),
        status(
            "origem inalcançável",
            EDGE,
            "A Cloudflare não encontrou caminho até a origem.",
            "Nenhuma rota leva ao endereço configurado.",
            "O registro DNS da origem está errado, ou a rede dela está inalcançável.",
            "Verifique o registro DNS da origem e a rede dela.",
        ),
    ),
    (
        (524, 524),
        status(
            "ocorreu um tempo limite",
            EDGE,
            "A origem atrás da Cloudflare aceitou a conexão e não respondeu a tempo.",
            "Por padrão a Cloudflare espera 120 segundos; em anos anteriores eram 100.",
            "O handler de upgrade da origem está bloqueado ou não existe.",
            "Descubra por que a origem não responde ao upgrade.",
        ),
    ),
    (
        (525, 525),
        status(
            "handshake SSL falhou",
            EDGE,
            "O handshake TLS entre a Cloudflare e a origem falhou.",
            "Os dois não encontraram versão ou cifra em comum, ou a origem não fala TLS nessa porta.",
            "A origem não tem certificado, ou fala HTTP sem TLS na porta 443.",
            ORIGIN_TLS_FIX,
        ),
    ),
    (
        (526, 526),
        status(
            "certificado SSL inválido",
            EDGE,
            "A Cloudflare não aceita o certificado da origem.",
            "A verificação estrita está ligada, e o certificado não passa nela.",
            "O certificado expirou, é autoassinado, ou é de outro nome.",
            ORIGIN_TLS_FIX,
        ),
    ),
    (
        (527, 527),
        status(
            "erro do Railgun",
            EDGE,
            "A conexão otimizada da Cloudflare com a origem se rompeu.",
            "Um status de um produto que a Cloudflare aposentou.",
            "O programa do Railgun na origem não estava acessível ou recusou.",
            "Conecte a origem sem esse produto.",
        ),
    ),
    (
        (530, 530),
        status(
            "erro da origem",
            EDGE,
            "A Cloudflare não pôde usar a origem, e a sua página traz um código 1xxx que diz por quê.",
            "O status sozinho diz pouco; o código no corpo diz mais.",
            "O nome da origem não se resolve, ou um túnel não está conectado.",
            "Leia o código 1xxx no corpo da resposta, e verifique o nome da origem ou o túnel.",
        ),
    ),
];
