//! Status HTTP em resposta a um upgrade.

use super::Words;

const ANYONE: &str = "O servidor, ou um gateway antes dele.";
const GATEWAY: &str = "Um gateway; uma aplicação também pode enviá-lo.";
const EDGE: &str = "A Cloudflare.";

const ORIGIN_TLS_FIX: &str =
    "Verifique o TLS entre a Cloudflare e a origem: nomes, cadeia de certificados, versões.";

const REDIRECT: Words = Words {
    name: "",
    brief: "O servidor manda o cliente para outro lugar, e a maioria dos clientes WebSocket não vai.",
    description: "Navegadores nunca seguem o redirecionamento de um upgrade, e muitas bibliotecas também não.",
    when: "Uma regra manda de http para https, acrescenta uma barra, corrige o nome do host ou leva a uma página de login.",
    fix: "Conecte à URL `wss://` final, ou exclua o caminho do redirecionamento.",
    sender: ANYONE,
};

/// Na ordem dos números.
pub(super) static STATUSES: &[((u16, u16), Words)] = &[
    (
        (101, 101),
        Words {
            name: "troca de protocolos",
            brief: "O servidor aceita o upgrade; o que vem depois na conexão são frames.",
            description: "O único sucesso em HTTP/1.1. O cliente ainda o confere: `Upgrade`, `Connection`, `Sec-WebSocket-Accept`, e se as extensões e o subprotocolo estão entre os que ofereceu. Se algo está errado, ele encerra o TCP sem um Close.",
            when: "No começo de todo WebSocket em HTTP/1.1. Os programas não o mostram.",
            fix: "Nada. Se um cliente sai logo depois dele, compare seus campos com os da requisição.",
            sender: ANYONE,
        },
    ),
    (
        (200, 200),
        Words {
            name: "OK",
            brief: "O upgrade foi ignorado e uma página foi enviada; em HTTP/2 é sucesso.",
            description: "O HTTP permite que um servidor ignore um upgrade. Para o cliente, o WebSocket falhou. Em HTTP/2 e HTTP/3 não existe 101, e 200 é o que um CONNECT estendido recebe quando dá certo.",
            when: "O caminho não é um WebSocket, uma aplicação de página única responde a todos os caminhos, um cache respondeu, ou um proxy descartou `Upgrade` no caminho.",
            fix: "Compare o caminho com as rotas do servidor, mantenha caches fora dele e faça todo gateway repassar `Upgrade` e `Connection`.",
            sender: ANYONE,
        },
    ),
    ((301, 301), Words { name: "movido permanentemente", ..REDIRECT }),
    ((302, 302), Words { name: "encontrado", ..REDIRECT }),
    ((303, 303), Words { name: "veja outro", ..REDIRECT }),
    (
        (304, 304),
        Words {
            name: "não modificado",
            brief: "O upgrade foi tomado pela pergunta se uma página guardada ainda vale.",
            description: "Não é um redirecionamento: um cache ou um servidor de arquivos respondeu a um GET comum, e nada ali olhou para `Upgrade`.",
            when: "Há um cache no caminho, ou o caminho leva a arquivos estáticos, e a requisição traz `If-None-Match` ou `If-Modified-Since`.",
            fix: "Mantenha caches fora do caminho, mande-o ao servidor que fala WebSocket e faça todo gateway repassar `Upgrade` e `Connection`.",
            sender: ANYONE,
        },
    ),
    ((307, 307), Words { name: "redirecionamento temporário", ..REDIRECT }),
    ((308, 308), Words { name: "redirecionamento permanente", ..REDIRECT }),
    (
        (400, 400),
        Words {
            name: "requisição inválida",
            brief: "Para quem respondeu, a requisição não está em ordem.",
            description: "Um campo do handshake falta ou está errado ali, mesmo que estivesse certo quando o cliente o enviou.",
            when: "Um proxy descartou ou alterou um campo, falta a chave, HTTP sem TLS chegou a uma porta HTTPS, ou um id de sessão pertence a outro servidor atrás do balanceador.",
            fix: "Compare os campos da requisição nos dois lados de cada gateway. Para engine.io e socket.io, ligue as sessões fixas (sticky sessions).",
            sender: ANYONE,
        },
    ),
    (
        (401, 401),
        Words {
            name: "não autenticado",
            brief: "Faltam credenciais, ou estão erradas.",
            description: "O servidor quer autenticação antes do upgrade. Navegadores não podem definir `Authorization` para um WebSocket.",
            when: "Nenhum cookie ou token foi enviado, ou ele expirou.",
            fix: "Envie credenciais com o upgrade: navegadores por cookie ou por um ticket na URL, outros clientes por `Authorization`.",
            sender: ANYONE,
        },
    ),
    (
        (403, 403),
        Words {
            name: "proibido",
            brief: "O lado do servidor entendeu e recusa.",
            description: "Várias recusas o compartilham: uma origem que não é permitida, falta de permissão, um firewall ou filtro de robôs, e um gateway que não permite upgrades.",
            when: "`Origin` não combina com o host ou com a lista de origens permitidas, uma aplicação fechou antes de aceitar, ou o Envoy está sem `upgrade_configs`: então responde com corpo vazio.",
            fix: "Repasse o `Host` original, amplie a lista de origens permitidas, ou habilite upgrades no gateway.",
            sender: ANYONE,
        },
    ),
    (
        (404, 404),
        Words {
            name: "não encontrado",
            brief: "Não há nada neste caminho.",
            description: "O gateway ou a aplicação não tem rota para o caminho do upgrade.",
            when: "O caminho difere por uma barra ou um prefixo, um proxy o reescreve, ou o host virtual é outro.",
            fix: "Compare o caminho nos dois lados de cada gateway com as rotas do servidor. Atenção à barra final.",
            sender: ANYONE,
        },
    ),
    (
        (405, 405),
        Words {
            name: "método não permitido",
            brief: "O método da requisição não é permitido neste caminho.",
            description: "Um handshake WebSocket em HTTP/1.1 é um GET.",
            when: "Uma sonda ou um cliente que não é WebSocket enviou POST ou CONNECT.",
            fix: "Use uma biblioteca WebSocket para a requisição.",
            sender: ANYONE,
        },
    ),
    (
        (407, 407),
        Words {
            name: "autenticação de proxy exigida",
            brief: "Um proxy de saída quer credenciais.",
            description: "O proxy entre cliente e servidor quer saber quem pede antes de abrir um caminho.",
            when: "O cliente está em uma rede cujo proxy exige login.",
            fix: "Dê ao cliente as credenciais do proxy.",
            sender: "Um proxy de saída.",
        },
    ),
    (
        (408, 408),
        Words {
            name: "tempo da requisição esgotado",
            brief: "A requisição não chegou inteira a tempo.",
            description: "O lado do servidor esperou pelo resto da requisição e desistiu.",
            when: "Um caminho lento ou interrompido desde o cliente, ou um cliente que envia a requisição em pedaços.",
            fix: "Procure pacotes perdidos entre cliente e servidor, e envie a requisição de uma só vez.",
            sender: ANYONE,
        },
    ),
    (
        (421, 421),
        Words {
            name: "requisição mal dirigida",
            brief: "A requisição chegou a um servidor que não responde por este host.",
            description: "A conexão foi feita para outro nome de host que não o da requisição.",
            when: "Um cliente reusa uma conexão para outro host, ou um proxy envia no TLS um nome diferente do de `Host`.",
            fix: "Faça uma conexão própria para este host, e use no proxy o mesmo nome no TLS e em `Host`.",
            sender: ANYONE,
        },
    ),
    (
        (426, 426),
        Words {
            name: "upgrade exigido",
            brief: "Quem respondeu fala WebSocket, e ninguém lhe pediu isso.",
            description: "A resposta a um GET comum em um endpoint WebSocket, ou a uma versão que o servidor não fala.",
            when: "O cliente pediu, e um proxy no caminho descartou `Upgrade` e `Connection`; ou alguém abriu a URL como página.",
            fix: "Faça o proxy antes do servidor repassar `Upgrade` e `Connection` em HTTP/1.1.",
            sender: ANYONE,
        },
    ),
    (
        (429, 429),
        Words {
            name: "requisições demais",
            brief: "O cliente tentou vezes demais.",
            description: "Um limite de taxa na borda ou na aplicação.",
            when: "Clientes reconectam sem espera, muitos compartilham um endereço, ou uma cota acabou.",
            fix: "Espere o que `Retry-After` diz, e reconecte com uma espera aleatória crescente.",
            sender: ANYONE,
        },
    ),
    (
        (431, 431),
        Words {
            name: "campos da requisição grandes demais",
            brief: "Os campos da requisição são longos demais.",
            description: "O lado do servidor tem um limite para o tamanho do cabeçalho de uma requisição.",
            when: "Cookies muitos ou grandes, ou um token na URL ou em `Sec-WebSocket-Protocol`.",
            fix: "Diminua cookies e tokens, ou aumente o limite de quem respondeu.",
            sender: ANYONE,
        },
    ),
    (
        (499, 499),
        Words {
            name: "requisição encerrada pelo cliente",
            brief: "O cliente desistiu antes que o gateway tivesse uma resposta para ele.",
            description: "Uma linha de log e quase nunca uma resposta: nginx, Caddy e Traefik o registram quando o cliente encerra a conexão primeiro.",
            when: "O cliente espera pelo handshake menos tempo do que o upstream precisa, ou o usuário saiu nesse meio-tempo.",
            fix: "Descubra por que o upstream demora tanto. Dê ao gateway um limite mais curto que o do cliente, para que um 504 o conte.",
            sender: "Em regra ninguém: gateways o escrevem em seus logs.",
        },
    ),
    (
        (500, 500),
        Words {
            name: "erro interno do servidor",
            brief: "A aplicação falhou enquanto tratava o upgrade.",
            description: "Uma exceção antes do 101.",
            when: "Um handler quebrou, ou um middleware não conhece upgrades.",
            fix: "Leia o log do servidor naquele segundo.",
            sender: ANYONE,
        },
    ),
    (
        (501, 501),
        Words {
            name: "não implementado",
            brief: "Quem respondeu não conhece este método.",
            description: "Nada ali sabe tratar a requisição, qualquer que seja o caminho.",
            when: "Um CONNECT estendido de HTTP/2 chegou a um proxy que não o conhece, como o Varnish.",
            fix: "Use HTTP/1.1 para o WebSocket neste trajeto, ou desvie-o do proxy.",
            sender: ANYONE,
        },
    ),
    (
        (502, 502),
        Words {
            name: "gateway inválido",
            brief: "Um gateway não recebeu do upstream resposta válida ao upgrade.",
            description: "Falou o gateway, o defeito está atrás dele. É o que o código de fechamento 1014 diz depois do handshake; antes dele este status é a única forma.",
            when: "O upstream não está no ar ou escuta em outro lugar, cortou a conexão, um lado fala TLS e o outro não, ou a sua resposta não é HTTP válido.",
            fix: "Verifique se o upstream escuta na porta e no esquema que o gateway usa, e leia o log de erros do gateway naquele segundo.",
            sender: GATEWAY,
        },
    ),
    (
        (503, 503),
        Words {
            name: "serviço indisponível",
            brief: "Ninguém está pronto para receber a conexão.",
            description: "Um gateway não tem upstream saudável, ou uma aplicação alivia a carga. O corpo muitas vezes mostra qual dos dois.",
            when: "Todos os upstreams falharam nas verificações de saúde, o upstream recusou a conexão (HAProxy e Apache httpd respondem assim), ou um limite de conexões foi atingido.",
            fix: "Verifique a saúde do upstream como o gateway a vê: verificações, número de servidores, limites de conexões.",
            sender: GATEWAY,
        },
    ),
    (
        (504, 504),
        Words {
            name: "tempo do gateway esgotado",
            brief: "O upstream de um gateway não respondeu ao upgrade a tempo.",
            description: "O gateway esperou e desistiu. A requisição não tinha nada de errado.",
            when: "Pacotes para o upstream são descartados, o upstream aceitou a conexão e nunca respondeu, ou é lento demais.",
            fix: "Descubra por que o upstream se cala: um firewall no meio, um programa bloqueado, nenhum handler para upgrades.",
            sender: GATEWAY,
        },
    ),
    (
        (505, 505),
        Words {
            name: "versão de HTTP não suportada",
            brief: "A versão da requisição não permite upgrade.",
            description: "O WebSocket precisa de HTTP/1.1 ou mais novo.",
            when: "Um proxy refez a requisição em HTTP/1.0: o nginx antes da 1.29.7 fazia isso, a menos que fosse configurado de outro modo.",
            fix: "Faça o proxy falar HTTP/1.1 com o upstream: no nginx, `proxy_http_version 1.1` com `Upgrade` e `Connection`.",
            sender: ANYONE,
        },
    ),
    (
        (520, 520),
        Words {
            name: "o servidor web devolveu um erro desconhecido",
            brief: "A origem atrás da Cloudflare enviou uma resposta vazia ou desconhecida.",
            description: "A Cloudflare chegou à origem e não pôde usar o que voltou.",
            when: "A origem quebrou ou cortou a conexão, ou a sua resposta tem campos grandes demais.",
            fix: "Leia o log da origem naquele segundo, e verifique se ela responde a upgrades sem a Cloudflare.",
            sender: EDGE,
        },
    ),
    (
        (521, 521),
        Words {
            name: "o servidor web está fora do ar",
            brief: "A origem atrás da Cloudflare recusou a conexão.",
            description: "O endereço da origem respondeu, e nenhum programa aceitou ou um firewall recusou.",
            when: "A origem não está no ar, ou o seu firewall bloqueia os endereços da Cloudflare.",
            fix: "Inicie a origem na porta esperada, e deixe passar os endereços da Cloudflare no firewall.",
            sender: EDGE,
        },
    ),
    (
        (522, 522),
        Words {
            name: "tempo de conexão esgotado",
            brief: "A origem atrás da Cloudflare não completou a conexão TCP a tempo.",
            description: "Pacotes para a origem se perderam, ou ela estava ocupada demais para aceitar.",
            when: "Um firewall descarta pacotes, o endereço está errado, ou a origem está sobrecarregada.",
            fix: "Verifique endereço, firewall e carga da origem.",
            sender: EDGE,
        },
    ),
    (
        (523, 523),
        Words {
            name: "origem inalcançável",
            brief: "A Cloudflare não encontrou caminho até a origem.",
            description: "Nenhuma rota leva ao endereço configurado.",
            when: "O registro DNS da origem está errado, ou a rede dela está inalcançável.",
            fix: "Verifique o registro DNS da origem e a rede dela.",
            sender: EDGE,
        },
    ),
    (
        (524, 524),
        Words {
            name: "ocorreu um tempo limite",
            brief: "A origem atrás da Cloudflare aceitou a conexão e não respondeu a tempo.",
            description: "Por padrão a Cloudflare espera 120 segundos; em anos anteriores eram 100.",
            when: "O handler de upgrade da origem está bloqueado ou não existe.",
            fix: "Descubra por que a origem não responde ao upgrade.",
            sender: EDGE,
        },
    ),
    (
        (525, 525),
        Words {
            name: "handshake SSL falhou",
            brief: "O handshake TLS entre a Cloudflare e a origem falhou.",
            description: "Os dois não encontraram versão ou cifra em comum, ou a origem não fala TLS nessa porta.",
            when: "A origem não tem certificado, ou fala HTTP sem TLS na porta 443.",
            fix: ORIGIN_TLS_FIX,
            sender: EDGE,
        },
    ),
    (
        (526, 526),
        Words {
            name: "certificado SSL inválido",
            brief: "A Cloudflare não aceita o certificado da origem.",
            description: "A verificação estrita está ligada, e o certificado não passa nela.",
            when: "O certificado expirou, é autoassinado, ou é de outro nome.",
            fix: ORIGIN_TLS_FIX,
            sender: EDGE,
        },
    ),
    (
        (527, 527),
        Words {
            name: "erro do Railgun",
            brief: "A conexão otimizada da Cloudflare com a origem se rompeu.",
            description: "Um status de um produto que a Cloudflare aposentou.",
            when: "O programa do Railgun na origem não estava acessível ou recusou.",
            fix: "Conecte a origem sem esse produto.",
            sender: EDGE,
        },
    ),
    (
        (530, 530),
        Words {
            name: "erro da origem",
            brief: "A Cloudflare não pôde usar a origem, e a sua página traz um código 1xxx que diz por quê.",
            description: "O status sozinho diz pouco; o código no corpo diz mais.",
            when: "O nome da origem não se resolve, ou um túnel não está conectado.",
            fix: "Leia o código 1xxx no corpo da resposta, e verifique o nome da origem ou o túnel.",
            sender: EDGE,
        },
    ),
];
